"""Size normalisation: ink of any size → 28×28 pixels as MNIST was made, or another shape in proportion.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used
by the normalization algorithm. the images were centered in a 28x28 image by computing the center of mass of the pixels,
and translating the image so as to position this point at the center of the 28x28 field."
Source: http://yann.lecun.com/exdb/mnist/. In MNIST's files that point is pixel (14, 14), counted from 0.
"""

import numpy as np
from PIL import Image

from mnist_reader.core.pixels import SHAPE, Shape

BOX = 20 / 28  # of the sides; from the source above
FAINT = 0.25  # of full ink; paler edges do not count for the size


def normalised(ink: np.ndarray, shape: Shape = SHAPE) -> np.ndarray:
    """Fit `ink`, float32 in 0–1 without a margin, of any size, into the field: `uint8` of this `shape`, 255 = ink."""
    return centred(fitted(ink, shape), shape)


def fitted(ink: np.ndarray, shape: Shape = SHAPE) -> np.ndarray:
    """Resize `ink` so that it just fits into 20/28 of the field, and bring thin strokes, paled by that, to full ink."""
    rows, columns = ink.shape
    scale = min(round(BOX * shape[0]) / rows, round(BOX * shape[1]) / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    if size != (columns, rows):
        image = Image.fromarray(ink)
        ink = np.asarray(image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR))
    peak = quantile(ink, 0.97)
    return np.minimum(ink / min(max(peak, 0.2), 1), 1)


def centred(ink: np.ndarray, shape: Shape = SHAPE) -> np.ndarray:
    """Place `ink` in a `uint8` field so that its centre of mass comes to the middle, in 28×28 to pixel (14, 14)."""
    field = np.zeros(shape, np.uint8)
    rows, columns = ink.shape
    top, left = _offset(ink.sum(axis=1), shape[0]), _offset(ink.sum(axis=0), shape[1])
    field[top : top + rows, left : left + columns] = np.rint(ink * 255)
    return field


def _offset(profile: np.ndarray, side: int) -> int:
    total = float(profile.sum())  # 0 where Pillow loses a hairline between two pixels
    centre = float(profile @ np.arange(len(profile))) / total if total else len(profile) / 2
    return min(max(round(side / 2 - centre), 0), side - len(profile))


def trimmed(ink: np.ndarray) -> np.ndarray:
    """Ink, float32 `(rows, columns)` in 0–1, without its margin; of size 0 where there is none but faint ink."""
    solid = ink > FAINT
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else ink[:0]


def quantile(values: np.ndarray, share: float) -> float:
    """The value that `share` of all `values` do not exceed; np.quantile takes ten times as long on so few."""
    at = int(share * (values.size - 1))
    return float(np.partition(values, at, axis=None)[at])
