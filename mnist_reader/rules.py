"""The mask of a page's ink without long straight lines: ruled and squared paper, cells, frames, axes."""

import numpy as np

from mnist_reader.strokes import connected_parts

LONG = 3.5  # times the height of a digit; a rule is longer,
ACROSS = 0.2  # and longer than this fraction of the page
THICK, THICKER = 0.35, 0.6  # of the height of a digit; a rule is thinner, and so is a line of a frame


def without_rules(mask: np.ndarray, height: float, frames: np.ndarray) -> np.ndarray:
    """The mask `(rows, columns)` without rules; strokes of digits `height` pixels high that cross them stay.

    Args:
        frames: mask of ink that is known to be lines around digits; there shorter lines are rules.
    """
    along, down = _run_lengths(mask), _run_lengths(mask.T).T
    upright = _rules(down.T, along.T, height, frames.T).T
    return mask & ~(_rules(along, down, height, frames) | upright)


def _rules(along: np.ndarray, down: np.ndarray, height: float, frames: np.ndarray) -> np.ndarray:
    """The pixels of rules along the rows, which may slope a little, from the lengths of runs along and down."""
    labels, parts = connected_parts(along >= max(12, round(height)))
    rules = np.zeros(along.shape, bool)
    for part in parts:
        rule = labels[part.box] == part.labels[0]
        framed = bool((rule & frames[part.box]).any())
        if part.width < max(ACROSS * along.shape[1], LONG * height) and not framed:
            continue
        deep = rule.sum(axis=0)
        thickness = float(np.median(deep[deep > 0]))
        if thickness <= (THICKER if framed else THICK) * height:
            rules[part.box] |= rule & (down[part.box] <= 2 * thickness + 1)
    return rules


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    """For each pixel of the mask the length of the run of its row in which it lies; else 0."""
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel()  # a column of nothing on each side keeps the rows apart
    turns = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    lengths = np.zeros(flat.shape, np.int32)
    lengths[flat] = np.repeat(turns[1::2] - turns[::2], turns[1::2] - turns[::2])
    return lengths.reshape(len(mask), -1)[:, 1:-1]
