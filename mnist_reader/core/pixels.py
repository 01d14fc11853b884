"""The shape of images, and the one place where pixels become the model's input."""

from typing import Any

Shape = tuple[int, int]  # rows and columns, in pixels
SHAPE: Shape = (28, 28)  # MNIST's, and that of a data set that names no other
SMALLEST, LARGEST = 8, 128  # pixels a side


def scale(images: Any) -> Any:
    """Scale floating-point pixels `(n, rows, columns)` in 0–255 to the model's input `(n, rows, columns, 1)` in 0–1.

    Takes and returns a NumPy array or a tensor; cast to float32 before the call.
    """
    return images[..., None] / 255
