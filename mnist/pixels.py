"""The size of an image, and the one place where pixels become the model's input."""

from typing import Any

SIDE = 28  # rows and columns of an image, in pixels


def scale(images: Any) -> Any:
    """Scale floating-point pixels `(n, 28, 28)` in 0–255 to the model's input `(n, 28, 28, 1)` in 0–1.

    Takes and returns a NumPy array or a tensor; cast to float32 before the call.
    """
    return images[..., None] / 255
