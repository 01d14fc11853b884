"""Digits in pictures: a picture's file, bytes or pixels in, what it says out.

from mnist_reader import Reader

reading = Reader().read("photo.jpg")
print(reading.text, reading.confidence, reading.unsure)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_reader.picture import PictureError
    from mnist_reader.reader import Reader
    from mnist_reader.reading import Digit, Reading

__version__ = "2.3.0"
__all__ = ["Digit", "PictureError", "Reader", "Reading"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are used: training needs `mnist_reader.core` without ONNX Runtime."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {"PictureError": "picture", "Reader": "reader"}.get(name, "reading")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
