"""The mask of a page's ink without long straight lines: ruled and squared paper, cells, frames, axes."""

import numpy as np

from mnist_reader.strokes import connected_parts

LONG = 3.5  # times the height of a digit; a rule is longer,
ACROSS = 0.2  # and longer than this fraction of the page
THICK = 0.35  # of the height of a digit; a rule is thinner


def without_rules(mask: np.ndarray, height: float) -> np.ndarray:
    """The mask `(rows, columns)` without rules; strokes of digits `height` pixels high that cross them stay."""
    return mask & ~(_rules(mask, height) | _rules(mask.T, height).T)


def _rules(mask: np.ndarray, height: float) -> np.ndarray:
    """The pixels of rules along the rows, which may slope a little."""
    runs = _runs(mask, max(12, round(height)))
    rules = np.zeros_like(mask)
    near = runs.copy()  # and one row up and down, so that the steps of a sloping rule hang together
    near[1:] |= runs[:-1]
    near[:-1] |= runs[1:]
    labels, parts = connected_parts(near)
    for part in parts:
        if part.width < max(ACROSS * mask.shape[1], LONG * height):
            continue
        rule = runs[part.box] & (labels[part.box] == part.labels[0])
        deep = rule.sum(axis=0)
        thickness = float(np.median(deep[deep > 0]))
        if thickness <= THICK * height:
            rules[part.box] |= rule & (_run_lengths(mask[:, part.box[1]].T).T[part.box[0]] <= 2 * thickness + 1)
    return rules


def _runs(mask: np.ndarray, length: int) -> np.ndarray:
    """The pixels of a row's runs that have at least this length."""
    return mask & (_run_lengths(mask) >= length)


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    """For each pixel of the mask the length of the run of its row in which it lies; else 0."""
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel()  # a column of nothing on each side keeps the rows apart
    turns = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    lengths = np.zeros(flat.shape, np.int32)
    lengths[flat] = np.repeat(turns[1::2] - turns[::2], turns[1::2] - turns[::2])
    return lengths.reshape(len(mask), -1)[:, 1:-1]
