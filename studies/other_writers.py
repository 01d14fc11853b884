"""scikit-learn's 1,797 digits, 8×8 pixels, by other writers than MNIST's, as pictures on paper.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository.
"""

import numpy as np
from PIL import Image

TUNING, HELD_OUT = np.s_[0::2], np.s_[1::2]  # the reader was tuned on the digits at even places


def digits(part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Images, float `(n, 8, 8)` in 0–16, and labels `(n,)` of a part of them."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images[part], found.target[part]


def render(image: np.ndarray, size: int) -> Image.Image:
    """Such an image as dark ink on white paper, `size` pixels a side."""
    paper = Image.fromarray(np.rint(255 - image * (255 / 16)).astype(np.uint8))
    return paper.resize((size, size), Image.Resampling.BICUBIC)
