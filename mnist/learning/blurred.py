"""Blurred images of the classes, so that a soft edge is no sign of a picture of no class."""

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import normalised, quantile, trimmed
from mnist_reader.core.pixels import SHAPE

COARSE = (8, 15)  # of 28 pixels; an image is reduced to at least and less than this, and enlarged again


def blurred(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each of the `uint8` images `(n, rows, columns)` as if scanned at a lower resolution, and fitted in anew."""
    return np.array([_blurred(image, int(rng.integers(*COARSE))) for image in images], np.uint8).reshape(images.shape)


def _blurred(image: np.ndarray, side: int) -> np.ndarray:
    rows, columns = image.shape
    coarse = (side * columns // SHAPE[1], side * rows // SHAPE[0])
    small = Image.fromarray(image).resize(coarse, Image.Resampling.BOX)
    ink = np.asarray(small.resize((columns, rows), Image.Resampling.BICUBIC), np.float32) / 255
    ink = np.minimum(ink / max(quantile(ink, 0.97), 0.2), 1)
    cut = trimmed(ink)
    return normalised(cut, (rows, columns)) if cut.size else image
