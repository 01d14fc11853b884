"""Ink that may be several digits that touch → pieces, between cuts along paths of little ink.

Cuts are proposed here and chosen by recognition, as in LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning
Applied to Document Recognition", Proceedings of the IEEE 86 (1998), whose system read cheques.
"""

import math
from typing import NamedTuple

import numpy as np

from mnist_reader.core.normalisation import FAINT, trimmed
from mnist_reader.ink import TooManyError
from mnist_reader.strokes import connected_parts, own_ink

CUTS = 6  # for each height of the ink in its width; as many are proposed,
FEWEST, MOST = 3, 10  # but no fewer and no more
WIDEST = 1.3  # of the ink's height; a digit is no wider,
LOWEST = 0.5  # and no less tall
HALF = 0.5  # of full ink; paler pixels are soft edges
SPECK = 0.05  # of the largest part's area; smaller ones are dirt
STRAIGHT = 0.02  # of full ink; what each row of a cut costs, so that cuts are short,
ASIDE = 0.01  # and each step aside
FURTHER = math.log(2)  # cost of each further digit


class Piece(NamedTuple):
    """The ink between two cuts."""

    start: int  # number of the cut before it; 0 is the left side
    stop: int
    ink: np.ndarray  # float32 (rows, columns) in 0–1, without a margin
    left: int  # columns of the whole ink
    right: int


def pieces(ink: np.ndarray) -> tuple[list[Piece], int]:
    """What of `ink`, float32 `(rows, columns)` in 0–1, may be digits, and the number of the right side."""
    rows, columns = ink.shape
    count = min(max(round(CUTS * columns / rows), FEWEST), MOST)
    cuts = [np.zeros(rows, int), *_paths(ink, count), np.full(rows, columns)]
    at = np.arange(columns)
    found = []
    for start, before in enumerate(cuts):
        for stop, after in enumerate(cuts[start + 1 :], start + 1):
            own = np.where((at >= before[:, None]) & (at < after[:, None]), ink, np.float32(0))
            piece = trimmed(own)
            if piece.size and piece.shape[0] >= LOWEST * rows and piece.shape[1] <= WIDEST * rows:
                inked = np.flatnonzero((own > FAINT).any(axis=0))
                found.append(Piece(start, stop, piece, int(inked[0]), int(inked[-1]) + 1))
    return found, len(cuts) - 1


def components(ink: np.ndarray) -> list[Piece]:
    """The parts of `ink` that hang together by more than their soft edges, from left to right, if all may be digits."""
    try:
        labels, parts = connected_parts(ink > HALF)
    except TooManyError:
        return []
    parts = [part for part in parts if part.area > SPECK * parts[0].area]
    if not 2 <= len(parts) <= 3 or min(part.height for part in parts) < LOWEST * len(ink):
        return []
    parts.sort(key=lambda part: part.left + part.right)
    return [Piece(0, 0, own_ink(ink, labels, part), part.left, part.right) for part in parts]


def _paths(ink: np.ndarray, count: int) -> list[np.ndarray]:
    """Paths from the top to the bottom through the least ink, from left to right: for each row a column.

    Each is found by dynamic programming in a band of columns of its own; bands overlap, paths that are the same do not
    come twice.
    """
    rows, columns = ink.shape
    centres = np.rint(np.arange(1, count + 1) * columns / (count + 1)).astype(int)
    reach = max(2, round(0.75 * columns / (count + 1)))
    at = centres[:, None] + np.arange(-reach, reach + 1)  # (paths, columns of the band)
    inside = (at >= 0) & (at < columns)
    costs = np.where(inside, ink[:, np.clip(at, 0, columns - 1)] + STRAIGHT, np.inf)  # (rows, paths, columns)
    sums, steps = costs[0], np.zeros(costs.shape, np.int8)
    for row in range(1, rows):
        aside = np.pad(sums + ASIDE, ((0, 0), (1, 1)), constant_values=np.inf)
        ways = np.stack([aside[:, :-2], sums, aside[:, 2:]])
        steps[row] = ways.argmin(axis=0) - 1
        sums = ways.min(axis=0) + costs[row]
    numbers, places = np.arange(count), sums.argmin(axis=1)
    paths = np.empty((count, rows), int)
    for row in range(rows - 1, -1, -1):
        paths[:, row] = at[numbers, places]
        places = places + steps[row][numbers, places]
    kept: list[np.ndarray] = []
    for path in paths[np.argsort(paths.mean(axis=1))]:
        if all(np.abs(path - other).mean() >= 1.5 for other in kept):
            kept.append(path)
    return kept


def cost(probabilities: np.ndarray) -> float:
    """Of taking ink for one digit: the negative logarithm of the largest of its probabilities."""
    return -math.log(max(float(probabilities.max()), 1e-9))


def cheapest(edges: list[tuple[int, int, float]], last: int) -> tuple[float, list[int]]:
    """The cheapest way from cut 0 to the last, and the numbers of the edges (start, stop, cost) on it.

    The cost is infinite where there is no way.
    """
    best: list[tuple[float, list[int]]] = [(0.0, []), *((math.inf, []) for _ in range(last))]
    for stop in range(1, last + 1):
        ways = [
            (best[start][0] + price + FURTHER * bool(best[start][1]), [*best[start][1], number])
            for number, (start, end, price) in enumerate(edges)
            if end == stop and best[start][0] < math.inf
        ]
        best[stop] = min(ways, default=best[stop])
    return best[last]
