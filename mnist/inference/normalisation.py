"""Size normalisation: ink of any size → 28×28 pixels as MNIST was made.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. The resulting images contain grey levels as a result of the anti-aliasing technique used
by the normalization algorithm. the images were centered in a 28x28 image by computing the center of mass of the pixels,
and translating the image so as to position this point at the center of the 28x28 field."
Source: http://yann.lecun.com/exdb/mnist/. In MNIST's files that point is pixel (14, 14), counted from 0.
"""

import numpy as np
from PIL import Image

from mnist.pixels import SIDE

BOX = 20  # pixels; from the source above
FAINT = 0.25  # of full ink; paler edges do not count for the size


def normalised(ink: np.ndarray) -> np.ndarray:
    """Fit `ink`, float32 `(rows, columns)` in 0–1 without a margin, into the field: `uint8` `(28, 28)`, 255 = ink."""
    return centred(fitted(ink))


def fitted(ink: np.ndarray) -> np.ndarray:
    """Resize `ink` so that its longer side is 20 pixels, and bring thin strokes, paled by that, back to full ink."""
    rows, columns = ink.shape
    scale = BOX / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    if size != (columns, rows):
        image = Image.fromarray(ink)
        ink = np.asarray(image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR))
    peak = quantile(ink, 0.97)
    return np.minimum(ink / min(max(peak, 0.2), 1), 1)


def centred(ink: np.ndarray) -> np.ndarray:
    """Place `ink`, at most 20×20, in 28×28 `uint8` so that its centre of mass comes to pixel (14, 14)."""
    field = np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = ink.shape
    top, left = _offset(ink.sum(axis=1)), _offset(ink.sum(axis=0))
    field[top : top + rows, left : left + columns] = np.rint(ink * 255)
    return field


def _offset(profile: np.ndarray) -> int:
    total = float(profile.sum())  # 0 where Pillow loses a hairline between two pixels
    centre = float(profile @ np.arange(len(profile))) / total if total else len(profile) / 2
    return min(max(round(SIDE / 2 - centre), 0), SIDE - len(profile))


def trimmed(ink: np.ndarray) -> np.ndarray:
    """Ink, float32 `(rows, columns)` in 0–1, without its margin; of size 0 where there is none but faint ink."""
    solid = ink > FAINT
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else ink[:0]


def quantile(values: np.ndarray, share: float) -> float:
    """The value that `share` of all `values` do not exceed; np.quantile takes ten times as long on so few."""
    at = int(share * (values.size - 1))
    return float(np.partition(values, at, axis=None)[at])
