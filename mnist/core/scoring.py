"""Probabilities and labels → metrics."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

CALIBRATION_BINS = 15  # as in Guo et al., arXiv 1706.04599


def score(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Everything metrics/evaluate.json holds.

    Args:
        probabilities: float `(n, classes)`, rows sum to 1.
        labels: integers `(n,)` in 0 … classes-1.
        classes: names of the labels 0, 1, …

    Returns:
        `accuracy` with its 95 % Wilson interval `accuracy_low` … `accuracy_high`, `loss` (nats an image),
        `calibration_error`, `num_images`, `num_errors`, and per class `precision`, `recall`, `f1`, `support`;
        fractions are 0–1.
    """
    correct = probabilities.argmax(axis=1) == labels
    low, high = wilson_interval(int(correct.sum()), len(labels))
    counts = confusion(probabilities, labels, classes)
    hits, predicted, support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    per_class = (_ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, predicted + support), support)
    return {
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": cross_entropy(probabilities, labels),
        "calibration_error": calibration_error(probabilities, correct),
        "num_images": len(labels),
        "num_errors": int((~correct).sum()),
        "classes": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
            for name, p, r, f, s in zip(classes, *per_class, strict=True)
        },
    }


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


def calibration_error(probabilities: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error: mean |accuracy - confidence| over bins of equal width, weighted by size.

    Source: Guo et al., "On Calibration of Modern Neural Networks", equation 5.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(correct))


def threshold(probabilities: np.ndarray, share: float) -> float:
    """The confidence below which an answer is unsure: `share` of these answers `(n, classes)` lie below it."""
    return float(np.quantile(probabilities.max(axis=1), share))


def unsure(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Which of the answers `(n, classes)` are unsure, boolean `(n,)`."""
    return probabilities.max(axis=1) < threshold


def confusion(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> np.ndarray:
    """Counts `(classes, classes)`: row = true label, column = prediction."""
    pairs = labels.astype(int) * len(classes) + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=len(classes) ** 2).reshape(len(classes), -1)
