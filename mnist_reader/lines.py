"""Lines of a form, a box or squared paper around digits: told from strokes, and left out."""

import numpy as np
from PIL import Image

from mnist_reader.components import Component, components

EDGE = 0.15  # of a side; lines of a box around a digit lie in this margin
CROSSING = 0.9  # of a side; a line is at least as long
THIN = 0.12  # of a side; a line is at most as thick
DISTINCT = 30  # grey levels between a line and the paper


def inside(levels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns without the lines along the sides of grey levels, where there are some on two sides or more.

    They would be taken for the paper, which is looked for along the border. Here the paper is the most common level:
    the median is a soft edge's where a digit fills half of its picture.
    """
    paper = 16 * np.reshape(Image.fromarray(levels).histogram(), (16, 16)).sum(axis=1).argmax() + 8
    line = (levels > float(paper + DISTINCT)) | (levels < float(paper - DISTINCT))  # takes a byte a pixel
    rows, columns = _inner(line.mean(axis=1) >= CROSSING), _inner(line.mean(axis=0) >= CROSSING)
    cut = (rows.start > 0) + (rows.stop < len(levels)) + (columns.start > 0) + (columns.stop < levels.shape[1])
    return (rows, columns) if cut >= 2 else (slice(0, len(levels)), slice(0, levels.shape[1]))


def _inner(crossed: np.ndarray) -> slice:
    """What lies between the lines in the outer parts of a side; `crossed` says where they are."""
    size = len(crossed)
    depth = max(1, int(size * EDGE))
    before, after = np.flatnonzero(crossed[:depth]), np.flatnonzero(crossed[size - depth :])
    start = int(before[-1]) + 2 if len(before) else 0  # one more, for the line's soft edge
    stop = size - depth + int(after[0]) - 1 if len(after) else size
    return slice(start, max(stop, start + 1))


def without_lines(mask: np.ndarray, bordered: bool = False) -> np.ndarray:
    """The mask `(rows, columns)` of ink without long thin parts and frames, and without a grid that touches digits.

    Three lines that cross are a grid; two are, where the picture was `bordered` by lines that are cut off.
    """
    rows, columns = _bands(mask), _bands(mask.T)
    if rows.any() and columns.any() and _groups(rows) + _groups(columns) >= (2 if bordered else 3):
        mask = mask & ~(rows[:, None] | columns[None])
    labels, found = components(mask)
    kept = [part.label for part in found if not (is_line(part, mask.shape) or is_frame(part, labels))]
    return mask if len(kept) == len(found) else np.isin(labels, kept)


def _bands(mask: np.ndarray) -> np.ndarray:
    """Which rows a thin line crosses, with a row to each side."""
    crossed = mask.mean(axis=1) >= CROSSING
    if not crossed.any() or crossed.mean() > 0.5:
        return np.zeros(len(crossed), bool)
    edges = np.flatnonzero(np.diff(crossed, prepend=False, append=False))
    thickest = (edges[1::2] - edges[::2]).max()
    if thickest > max(2, THIN * len(crossed)):
        return np.zeros(len(crossed), bool)
    wide = crossed.copy()
    wide[1:] |= crossed[:-1]
    wide[:-1] |= crossed[1:]
    return wide


def _groups(flags: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(flags, prepend=False) & flags))


def is_line(part: Component, shape: tuple[int, int]) -> bool:
    """Long and thin along a row; or along a column from end to end, at the side of the picture."""
    rows, columns = shape
    flat = part.width >= 0.6 * columns and part.height <= max(2, THIN * rows) and part.width > 4 * part.height
    at_side = part.right <= 0.2 * columns or part.left >= 0.8 * columns
    upright = part.height >= 0.97 * rows and part.width <= max(2, THIN * columns) and at_side
    return flat or upright


def is_frame(part: Component, labels: np.ndarray) -> bool:
    """Nearly as large as the picture, hollow, with ink all along three sides or more."""
    rows, columns = labels.shape
    if part.height < 0.7 * rows or part.width < 0.7 * columns or part.area > 0.4 * part.height * part.width:
        return False
    box = labels[part.top : part.bottom, part.left : part.right] == part.label
    deep, wide = (max(1, int(size * EDGE)) for size in box.shape)
    sides = (box[:deep].any(axis=0), box[-deep:].any(axis=0), box[:, :wide].any(axis=1), box[:, -wide:].any(axis=1))
    return sum(side.mean() >= CROSSING for side in sides) >= 3
