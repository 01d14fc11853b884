"""Connected parts of a mask."""

from typing import NamedTuple

import numpy as np


class Component(NamedTuple):
    """One connected part, by the box that it fills."""

    label: int  # in the image of labels
    top: int
    bottom: int  # exclusive, as right
    left: int
    right: int
    area: int  # pixels

    @property
    def height(self) -> int:
        """Rows of the box."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns of the box."""
        return self.right - self.left


def components(mask: np.ndarray) -> tuple[np.ndarray, list[Component]]:
    """Label the parts of a boolean mask `(rows, columns)` that hang together, corners included.

    Returns:
        `int32` `(rows, columns)`, 0 where the mask is not, and the components, largest first.

    Source: two passes over runs with union-find, as in Rosenfeld and Pfaltz, "Sequential Operations in Digital Picture
    Processing", JACM 13 (1966).
    """
    rows, columns = mask.shape
    width = columns + 2  # a column of nothing on each side keeps the rows apart
    padded = np.zeros((rows, width), np.int8)
    padded[:, 1:-1] = mask
    turns = np.diff(padded.ravel(), prepend=np.int8(0))
    starts, stops = np.flatnonzero(turns == 1), np.flatnonzero(turns == -1)
    roots = np.array(_united(starts, stops, width), int)
    _, numbers = np.unique(roots, return_inverse=True)
    lengths = stops - starts
    labels = np.zeros(rows * width, np.int32)
    labels[padded.ravel() == 1] = np.repeat(numbers + 1, lengths)
    if not len(starts):
        return labels.reshape(rows, width)[:, 1:-1], []
    order = np.argsort(numbers, kind="stable")
    firsts = np.searchsorted(numbers[order], np.arange(numbers.max() + 1))
    row, left, right = (values[order] for values in (starts // width, starts % width - 1, (stops - 1) % width))
    boxes = (
        np.arange(1, len(firsts) + 1),
        np.minimum.reduceat(row, firsts),
        np.maximum.reduceat(row, firsts) + 1,
        np.minimum.reduceat(left, firsts),
        np.maximum.reduceat(right, firsts),
        np.add.reduceat(lengths[order], firsts),
    )
    found = [Component(*values) for values in zip(*(values.tolist() for values in boxes), strict=True)]
    return labels.reshape(rows, width)[:, 1:-1], sorted(found, key=lambda component: -component.area)


def _united(starts: np.ndarray, stops: np.ndarray, width: int) -> list[int]:
    """For each run of pixels the number of the first run that it hangs together with."""
    first = np.searchsorted(stops, starts - width)  # runs in the row above that end at or after this one's start
    last = np.searchsorted(starts, stops - width, side="right")
    parents = list(range(len(starts)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    for run, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        for above in range(begin, end):
            one, other = root(run), root(above)
            parents[max(one, other)] = min(one, other)
    return [root(run) for run in range(len(parents))]
