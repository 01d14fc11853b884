"""Blurred images of the classes, so that a soft edge is no sign of a picture of no class."""

import numpy as np
from PIL import Image

from mnist.inference.normalisation import normalised, quantile, trimmed

COARSE = (8, 15)  # pixels a side; an image is reduced to at least and less than this, and enlarged again


def blurred(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each of the `uint8` images `(n, 28, 28)` as if it had been scanned at a lower resolution, fitted in anew."""
    return np.stack([_blurred(image, int(rng.integers(*COARSE))) for image in images]) if len(images) else images


def _blurred(image: np.ndarray, side: int) -> np.ndarray:
    coarse = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    ink = np.asarray(coarse.resize(image.shape, Image.Resampling.BICUBIC), np.float32) / 255
    ink = np.minimum(ink / max(quantile(ink, 0.97), 0.2), 1)
    cut = trimmed(ink)
    return normalised(cut) if cut.size else image
