"""A Python wheel: the reader of pictures with the model inside, for programs that know nothing of this project.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from mnist import errors, inference, pixels
from mnist.export.onnx import onnx_bytes
from mnist.export.runtime import Images, Predict, Source

PACKAGE = "mnist_keras_cnn"
MODULES = [Path(errors.__file__), Path(pixels.__file__), *sorted(Path(inference.__path__[0]).glob("*.py"))]
INIT = '''"""Read digits in pictures: `Reader().read("photo.jpg").text`."""

from pathlib import Path

from mnist_keras_cnn.inference import reader
from mnist_keras_cnn.inference.picture import PictureError
from mnist_keras_cnn.inference.reader import Digit, Reading

__all__ = ["Digit", "PictureError", "Reader", "Reading"]

MODEL = Path(__file__).with_name("model.onnx")


class Reader(reader.Reader):
    """Reads pictures with the model of this package, or with another ONNX export."""

    def __init__(self, path: Path | str = MODEL, accept_all: bool = False) -> None:
        super().__init__(path, accept_all)
'''
COMMAND = '''"""The command `mnist-read`."""

from mnist_keras_cnn import MODEL
from mnist_keras_cnn.errors import run
from mnist_keras_cnn.inference.command import main


def mnist_read() -> None:
    """Read the picture files on the command line."""
    run(lambda: main("mnist-read", MODEL))


if __name__ == "__main__":
    mnist_read()
'''
METADATA = """\
Metadata-Version: 2.4
Name: mnist-keras-cnn
Version: {version}
Summary: {title}: a reader of pictures, with its model inside
License-Expression: MIT
Requires-Python: >=3.11
Requires-Dist: numpy>=2
Requires-Dist: onnxruntime>=1.20
Requires-Dist: pillow>=11.3
Description-Content-Type: text/markdown

```python
from mnist_keras_cnn import Reader

reading = Reader().read("photo.jpg")  # a path, bytes, a Pillow image or an array
print(reading.text, reading.confidence, reading.unsure)
```

`mnist-read photo.jpg` does the same on the command line. Trained on: {licence}.
"""
ASK = """\
import sys, numpy, mnist_keras_cnn
with open(sys.argv[1], "rb") as images, open(sys.argv[2], "wb") as answers:
    numpy.save(answers, mnist_keras_cnn.Reader().classifier(numpy.load(images)))
"""


def file_name(version: str) -> str:
    """The wheel's name, which installers read."""
    return f"{PACKAGE}-{version}-py3-none-any.whl"


def write_wheel(source: Source, path: Path) -> None:
    """A wheel of `mnist_reader` and what it imports, under a name of its own, with the ONNX export inside."""
    info = f"{PACKAGE}-{source.about.version}.dist-info"
    files = _modules() | {
        f"{PACKAGE}/__init__.py": INIT.encode(),
        f"{PACKAGE}/__main__.py": COMMAND.encode(),
        f"{PACKAGE}/model.onnx": onnx_bytes(source),
        f"{info}/METADATA": METADATA.format(**source.about._asdict()).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: mnist-pipeline\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nmnist-read = {PACKAGE}.__main__:mnist_read\n".encode(),
    }
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _modules() -> dict[str, bytes]:
    """The modules' code, which imports from the wheel's own package, by its path in the wheel."""
    root = Path(errors.__file__).parent
    names = [f"{PACKAGE}/{module.relative_to(root).as_posix()}" for module in MODULES]
    code = [module.read_text(encoding="utf-8").replace("from mnist.", f"from {PACKAGE}.") for module in MODULES]
    return {name: text.encode() for name, text in zip(names, code, strict=True)}


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def load_wheel(path: Path, _: Source) -> Predict:
    """Run by another Python process, which imports the package from an unpacked copy."""

    def run(images: Images) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder, "images.npy"), Path(folder, "answers.npy")
            zipfile.ZipFile(path).extractall(folder)
            np.save(asked, images)
            subprocess.run([sys.executable, "-c", ASK, asked, answered], cwd=folder, check=True)
            return np.load(answered)

    return run
