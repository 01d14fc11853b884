"""Ink → its connected parts, without the lines of a form, a box or squared paper around the digits."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import trimmed
from mnist_reader.ink import TooManyError, around, widened

MARGIN = 0.15  # of a side; lines of a box around a digit lie in this margin
CROSSING = 0.9  # of a side; a line is at least as long
THIN = 0.12  # of a side; a line is at most as thick
DISTINCT = 30  # grey levels between a line and the paper
MOST_RUNS = 100_000  # of pixels in the rows of a mask, and
MOST_COVERED = 8  # times its area in the boxes of parts; more is a texture
MOST_PARTS = 2000  # smaller ones are not looked at


class Part(NamedTuple):
    """Connected ink, or several pieces of it that belong together, by the box that they fill."""

    labels: tuple[int, ...]  # of the pieces, in the image of labels
    top: int
    left: int
    bottom: int  # exclusive, as right
    right: int
    area: int  # pixels

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def mask(self, labels: np.ndarray) -> np.ndarray:
        """Where in an image of labels it lies; np.isin takes five times as long for one."""
        return labels == self.labels[0] if len(self.labels) == 1 else np.isin(labels, self.labels)

    def margin(self, shape: tuple[int, ...]) -> int:
        """Pixels to the nearest side of an image of this shape."""
        return min(self.left, self.top, shape[1] - self.right, shape[0] - self.bottom)

    def gap(self, other: "Part") -> int:
        """Columns between the two; negative where they share some."""
        return max(self.left - other.right, other.left - self.right)

    def joined(self, other: "Part") -> "Part":
        """Both as one."""
        (top, left), (bottom, right) = map(min, self[1:3], other[1:3]), map(max, self[3:5], other[3:5])
        return Part(self.labels + other.labels, top, left, bottom, right, self.area + other.area)


def connected_parts(mask: np.ndarray) -> tuple[np.ndarray, list[Part]]:
    """Label the parts of a boolean mask `(rows, columns)` that hang together, corners included.

    Returns:
        `int32` `(rows, columns)`, 0 where the mask is not, and the MOST_PARTS largest parts, largest first.

    Raises:
        TooManyError: the mask is a texture: more than MOST_RUNS runs, or boxes that cover it MOST_COVERED times.
    """
    width = mask.shape[1] + 2  # a column of nothing on each side keeps the rows apart
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel()
    turns = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    starts, stops = turns[::2], turns[1::2]
    if len(starts) > MOST_RUNS:
        raise TooManyError
    roots = _roots(starts, stops, width)
    numbers = (np.cumsum(roots == np.arange(len(roots))) - 1)[roots]  # of the parts, by their first runs
    labels = np.zeros(flat.shape, np.int32)
    labels[flat] = np.repeat(numbers + 1, stops - starts)
    order = np.argsort(numbers, kind="stable")  # the runs of a part one after another
    firsts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    measures = (
        (np.minimum, starts // width),
        (np.minimum, starts % width - 1),
        (np.maximum, starts // width + 1),
        (np.maximum, (stops - 1) % width),
        (np.add, stops - starts),
    )
    values = np.array([measure.reduceat(of_runs[order], firsts) for measure, of_runs in measures])
    top, left, bottom, right, area = values
    if ((bottom - top) * (right - left)).sum() > MOST_COVERED * mask.size:
        raise TooManyError
    largest = np.argsort(-area, kind="stable")[:MOST_PARTS]
    parts = [Part((label,), *box) for label, *box in np.vstack([largest + 1, values[:, largest]]).T.tolist()]
    return labels.reshape(-1, width)[:, 1:-1], parts


def own_ink(ink: np.ndarray, labels: np.ndarray, part: Part) -> np.ndarray:
    """The ink of a part and its soft edges, without a margin, out of ink float32 `(rows, columns)` in 0–1.

    Args:
        labels: as of `connected_parts`, of the stronger ink.
    """
    area = around(part.box, 1)
    own = part.mask(labels[area])
    return trimmed(np.where(widened(own, 1) & (own | (labels[area] == 0)), ink[area], np.float32(0)))


def _roots(starts: np.ndarray, stops: np.ndarray, width: int) -> np.ndarray:
    """For each run of pixels the number of the first run that it hangs together with.

    All neighbours are joined at once, the later root to the earlier one, until no two have different roots. Within two
    rounds each root has been joined to another one, or another one to it, so that rounds are few. Source: Y. Shiloach
    and U. Vishkin, "An O(log n) Parallel Connectivity Algorithm", Journal of Algorithms 3 (1982).
    """
    first = np.searchsorted(stops, starts - width)  # runs in the row above that end at or after this one's start
    count = np.searchsorted(starts, stops - width, side="right") - first
    run = np.repeat(np.arange(len(starts)), count)
    above = np.arange(len(run)) + np.repeat(first - np.cumsum(count) + count, count)
    roots = np.arange(len(starts))
    while len(run):
        np.minimum.at(roots, np.maximum(run, above), np.minimum(run, above))
        while (roots[roots] != roots).any():
            roots = roots[roots]
        run, above = roots[run], roots[above]
        differ = run != above
        run, above = run[differ], above[differ]
    return roots


def within_lines(levels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns without the lines along the sides of grey levels, where there are some on two sides or more.

    They would be taken for the paper, which is looked for along the border. Here the paper is the most common level:
    the median is a soft edge's where a digit fills half of its picture.
    """
    paper = 16 * np.reshape(Image.fromarray(levels).histogram(), (16, 16)).sum(axis=1).argmax() + 8
    line = (levels > float(paper + DISTINCT)) | (levels < float(paper - DISTINCT))  # takes a byte a pixel
    rows, columns = (_between(line.mean(axis=axis) >= CROSSING) for axis in (1, 0))
    height, width = levels.shape
    sides = (rows.start > 0) + (rows.stop < height) + (columns.start > 0) + (columns.stop < width)
    return (rows, columns) if sides >= 2 else (slice(0, height), slice(0, width))


def _between(crossed: np.ndarray) -> slice:
    """What lies between the lines in the outer parts of a side; `crossed` says where they are."""
    size = len(crossed)
    depth = max(1, int(size * MARGIN))
    before, after = np.flatnonzero(crossed[:depth]), np.flatnonzero(crossed[size - depth :])
    start = min(int(before[-1]) + 2, size - 1) if len(before) else 0  # one more, for the line's soft edge
    stop = size - depth + int(after[0]) - 1 if len(after) else size
    return slice(start, max(stop, start + 1))


def strokes(mask: np.ndarray, bordered: bool = False) -> tuple[np.ndarray, list[Part], bool]:
    """The connected parts of a mask `(rows, columns)` of ink but for lines: long thin parts, frames, and a grid.

    A grid, which may touch digits, is three lines that cross; two, where the picture was `bordered` by lines that are
    cut off.

    Returns:
        Labels and parts as of `connected_parts`, and whether lines were left out.
    """
    rows, columns = _bands(mask), _bands(mask.T)
    grid = rows.any() and columns.any() and _count(rows) + _count(columns) >= (2 if bordered else 3)
    labels, parts = connected_parts(mask & ~(rows[:, None] | columns) if grid else mask)
    kept = [part for part in parts if not (is_line(part, mask.shape) or is_frame(part, labels))]
    return labels, kept, bool(grid) or len(kept) < len(parts)


def _bands(mask: np.ndarray) -> np.ndarray:
    """Which rows thin lines cross, with a row to each side."""
    crossed = mask.mean(axis=1) >= CROSSING
    edges = np.flatnonzero(np.diff(crossed, prepend=False, append=False))
    thickest = max(edges[1::2] - edges[::2], default=0)
    lines = crossed.mean() <= 0.5 and thickest <= max(2, THIN * len(crossed))
    return widened(crossed[None], 1)[0] & lines


def _count(flags: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(flags, prepend=False) & flags))


def is_line(part: Part, shape: tuple[int, ...]) -> bool:
    """Long and thin along a row; or along a column from end to end, at the side of the picture."""
    rows, columns = shape
    flat = part.width >= 0.6 * columns and part.height <= max(2, THIN * rows) and part.width > 4 * part.height
    at_side = part.right <= 0.2 * columns or part.left >= 0.8 * columns
    upright = part.height >= 0.97 * rows and part.width <= max(2, THIN * columns) and at_side
    return flat or upright


def is_frame(part: Part, labels: np.ndarray) -> bool:
    """Nearly as large as the picture, hollow, with ink all along three sides or more."""
    rows, columns = labels.shape
    if part.height < 0.7 * rows or part.width < 0.7 * columns or part.area > 0.4 * part.height * part.width:
        return False
    return sum(side >= CROSSING for side in sides(part, labels)) >= 3


def sides(part: Part, labels: np.ndarray) -> tuple[float, float, float, float]:
    """The fractions of its top, bottom, left and right side along which a part has ink in the margin."""
    ink = part.mask(labels[part.box])
    deep, wide = (max(1, int(size * MARGIN)) for size in ink.shape)
    margins = (ink[:deep].any(axis=0), ink[-deep:].any(axis=0), ink[:, :wide].any(axis=1), ink[:, -wide:].any(axis=1))
    top, bottom, left, right = (float(margin.mean()) for margin in margins)
    return top, bottom, left, right
