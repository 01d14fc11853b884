"""Probabilities and labels → metrics."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

CALIBRATION_BINS = 15  # as in Guo et al., arXiv 1706.04599


class Scores(NamedTuple):
    """How good answers to images are; fractions are 0–1."""

    accuracy: float
    accuracy_low: float  # the 95 % Wilson interval, which reflects only the number of images
    accuracy_high: float
    loss: float  # cross entropy, nats an image
    errors: int
    calibration_error: float


class ClassScores(NamedTuple):
    """How good answers to images of one class are; fractions are 0–1."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int  # images


def score(probabilities: np.ndarray, labels: np.ndarray) -> Scores:
    """The scores of probabilities, float `(n, classes)`, to images with these labels `(n,)` in 0 … classes-1."""
    right = is_right(probabilities, labels)
    low, high = wilson_interval(int(right.sum()), len(right))
    loss, error = cross_entropy(probabilities, labels), calibration_error(probabilities, right)
    return Scores(accuracy(probabilities, labels), low, high, loss, int((~right).sum()), error)


def is_right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which of the answers `(n, classes)` name the label, boolean `(n,)`."""
    return probabilities.argmax(axis=1) == labels


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The fraction of the answers that name the label."""
    return float(is_right(probabilities, labels).mean())


def score_classes(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> list[ClassScores]:
    """The scores of each class."""
    counts = confusion(probabilities, labels, classes)
    hits, predicted, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    columns = (_ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, predicted + support), support)
    return [ClassScores(name, *row) for name, *row in zip(classes, *(c.tolist() for c in columns), strict=True)]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, 0 where `whole` is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Where the probability of a success lies, with this confidence.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927; the lower end as a
    quotient, which is exactly 0 without a success, and the upper end as that of the failures, mirrored.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z * math.sqrt(successes * (trials - successes) / trials + z**2 / 4)
    low, mirrored = (count**2 / trials / (count + z**2 / 2 + spread) for count in (successes, trials - successes))
    return low, 1 - mirrored


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean -log of the true class's probability, in nats; finite also where that is 0."""
    wide = probabilities.astype(np.float64)
    of_truth = wide[np.arange(len(labels)), labels] / wide.sum(axis=1)
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float64).eps)).mean()) + 0.0  # 0.0 rather than -0.0


def calibration_error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: mean |accuracy - confidence| over bins of equal width, weighted by size.

    Source: Guo et al., "On Calibration of Modern Neural Networks", equation 5.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def threshold(probabilities: np.ndarray, share: float) -> float:
    """The confidence below which an answer is unsure: `share` of these answers `(n, classes)` lie below it."""
    return float(np.quantile(probabilities.max(axis=1), share))


def is_unsure(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Which of the answers `(n, classes)` are unsure, boolean `(n,)`."""
    return probabilities.max(axis=1) < threshold


class Doubts(NamedTuple):
    """How much a model doubts; fractions 0–1 of the answers."""

    unsure: float  # below the threshold
    sure_and_wrong: float


def doubts(probabilities: np.ndarray, labels: np.ndarray, threshold: float) -> Doubts:
    """Of the answers `(n, classes)` the fractions that are unsure, and sure but wrong."""
    unsure = is_unsure(probabilities, threshold)
    return Doubts(float(unsure.mean()), float((~unsure & ~is_right(probabilities, labels)).mean()))


def confusion(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> np.ndarray:
    """Counts `(classes, classes)`: row = true label, column = prediction."""
    pairs = labels.astype(int) * len(classes) + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=len(classes) ** 2).reshape(len(classes), -1)
