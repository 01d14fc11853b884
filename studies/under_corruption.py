"""How a model answers to images under the corruptions of MNIST-C."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from mnist import scoring
from studies.corruptions import CORRUPTIONS, corrupted

Ask = Callable[[np.ndarray], np.ndarray]  # uint8 images (n, rows, columns) → probabilities (n, classes)


class Answers(NamedTuple):
    """The images under one corruption, and what a model makes of them."""

    kind: str
    images: np.ndarray  # uint8 (n, rows, columns)
    probabilities: np.ndarray  # (n, classes)


def under_each(ask: Ask, images: np.ndarray, seed: int) -> Iterator[Answers]:
    """Ask a model about the `uint8` images `(n, rows, columns)` under one corruption after another."""

    def answers(kind: str) -> Answers:
        changed = corrupted(kind, images, seed)
        return Answers(kind, changed, ask(changed))

    with ThreadPoolExecutor(2) as pool:  # most of the work is done without Python's lock
        yield from pool.map(answers, CORRUPTIONS)


def score(found: Answers, labels: np.ndarray) -> dict[str, Any]:
    """A row of the table: `corruption`, `accuracy` and `calibration_error`, fractions 0–1."""
    right = found.probabilities.argmax(axis=1) == labels
    error = scoring.calibration_error(found.probabilities, right)
    return {"corruption": found.kind, "accuracy": float(right.mean()), "calibration_error": error}


def doubts(found: Answers, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """Of the answers the fractions that are `unsure`, below the threshold, and `sure_and_wrong`."""
    wrong, doubted = found.probabilities.argmax(axis=1) != labels, scoring.unsure(found.probabilities, threshold)
    return {"unsure": float(doubted.mean()), "sure_and_wrong": float((~doubted & wrong).mean())}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The means of the rows' figures over all corruptions, each `corrupted_…`, and the rows."""
    names = [name for name in rows[0] if name != "corruption"]
    return {f"corrupted_{name}": fmean(row[name] for row in rows) for name in names} | {"corruptions": rows}
