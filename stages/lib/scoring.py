"""Probabilities and labels → metrics."""

from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

CALIBRATION_BINS = 15  # as in Guo et al., arXiv 1706.04599


def score(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Everything metrics/evaluate.json holds.

    Args:
        probabilities: float `(n, classes)`, rows sum to 1.
        labels: integers `(n,)` in 0 … classes-1.
        classes: names of the labels.

    Returns:
        `accuracy` with its 95 % Wilson interval `accuracy_low` … `accuracy_high`, `loss` (nats an image),
        `calibration_error`, `num_images`, `num_errors`, and per class `precision`, `recall`, `f1`, `support`;
        fractions are 0–1.
    """
    correct = probabilities.argmax(axis=1) == labels
    interval = binomtest(int(correct.sum()), len(labels)).proportion_ci(confidence_level=0.95, method="wilson")
    ids = list(range(len(classes)))
    per_class = precision_recall_fscore_support(labels, probabilities.argmax(axis=1), labels=ids, zero_division=0.0)
    return {
        "accuracy": float(correct.mean()),
        "accuracy_low": float(interval.low),
        "accuracy_high": float(interval.high),
        "loss": float(log_loss(labels, _normalised(probabilities), labels=ids)),
        "calibration_error": calibration_error(probabilities, correct),
        "num_images": len(labels),
        "num_errors": int((~correct).sum()),
        "classes": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
            for name, p, r, f, s in zip(classes, *per_class, strict=True)
        },
    }


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Float64 rows that sum to 1 exactly enough for scikit-learn, which warns of float32 rounding."""
    wide = probabilities.astype(np.float64)
    return wide / wide.sum(axis=1, keepdims=True)


def calibration_error(probabilities: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error: mean |accuracy - confidence| over bins of equal width, weighted by size.

    Source: Guo et al., "On Calibration of Modern Neural Networks", equation 5.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(correct))


def confusion(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> np.ndarray:
    """Counts `(classes, classes)`: row = true label, column = prediction."""
    return confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(len(classes)))
