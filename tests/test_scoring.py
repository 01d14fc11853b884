"""Metrics, against numbers computed by hand and NumPy."""

import math

import numpy as np
import pytest

from stages.lib.scoring import calibration_error, confusion, score

CLASSES = ["cat", "dog", "owl"]
# true:      cat  cat  cat  dog  dog  owl;   predicted: cat  cat  dog  dog  dog  cat
LABELS = np.array([0, 0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.05, 0.9, 0.05], [0.6, 0.3, 0.1]], np.float32
)


def one_hot(predicted, classes=2):
    return np.eye(classes, dtype=np.float32)[predicted]


def wilson(correct, n):
    """Wilson (1927), equation 5 as commonly written, for z of 95 %."""
    z = 1.959963984540054
    p = correct / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@pytest.mark.parametrize(("correct", "n"), [(9955, 10_000), (5, 10), (0, 10), (10, 10), (1, 1)])
def test_accuracy_and_its_wilson_interval(correct, n):
    predicted = np.array([0] * correct + [1] * (n - correct))
    found = score(one_hot(predicted), np.zeros(n, np.uint8), ["0", "1"])
    assert found["accuracy"] == pytest.approx(correct / n, abs=1e-15)
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx(wilson(correct, n), abs=1e-9)
    assert (found["num_images"], found["num_errors"]) == (n, n - correct)


def test_the_wilson_interval_of_a_textbook():
    """8 of 10: 0.4902 to 0.9433 (Newcombe 1998 gives the method; the numbers are widely tabulated)."""
    found = score(one_hot([0] * 8 + [1] * 2), np.zeros(10, np.uint8), ["0", "1"])
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_the_loss_is_the_mean_negative_logarithm_of_the_true_class():
    expected = -np.log(np.array([0.8, 0.5, 0.2, 0.8, 0.9, 0.1])).mean()
    assert score(PROBABILITIES, LABELS, CLASSES)["loss"] == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_that_of_numpy_on_many_classes():
    random = np.random.default_rng(0)
    logits = random.normal(size=(200, 10)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = random.integers(0, 10, 200)
    expected = -np.log(probabilities[np.arange(200), labels].astype(float)).mean()
    assert score(probabilities, labels, [str(i) for i in range(10)])["loss"] == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_finite_where_the_true_class_got_nothing():
    assert math.isfinite(score(one_hot([0, 1]), np.array([1, 1]), ["0", "1"])["loss"])


def test_per_class_figures_are_those_counted_by_hand():
    found = score(PROBABILITIES, LABELS, CLASSES)["classes"]
    assert list(found) == CLASSES
    assert found["cat"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    assert found["dog"] == pytest.approx({"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2})
    assert found["owl"] == pytest.approx({"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1})


def test_a_class_without_images_counts_zero():
    found = score(one_hot([0, 1], 3), np.array([0, 1]), CLASSES)["classes"]
    assert found["owl"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_the_confusion_matrix_has_truth_in_rows():
    expected = [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert confusion(PROBABILITIES, LABELS, CLASSES).tolist() == expected


def test_calibration_error_counted_by_hand():
    # Bins of width 1/15: 0.50 alone in [7/15, 8/15); 0.62 and 0.65 in [9/15, 10/15); 1.0 in the last.
    confidence = np.array([0.50, 0.62, 0.65, 1.0])
    correct = np.array([True, True, False, True])
    expected = (abs(1 - 0.50) + abs((1 - 0.62) + (0 - 0.65)) + 0) / 4
    probabilities = np.column_stack([confidence, 1 - confidence])
    assert calibration_error(probabilities, correct) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("correct", "expected"), [([True, True], 0.0), ([False, False], 1.0), ([True, False], 0.5)])
def test_full_confidence_is_wrong_by_the_share_of_mistakes(correct, expected):
    assert calibration_error(one_hot([0, 1]), np.array(correct)) == expected


def test_metrics_are_plain_numbers_that_json_can_hold():
    found = score(PROBABILITIES, LABELS, CLASSES)
    assert {type(value) for value in found.values()} == {float, int, dict}
    assert {type(value) for row in found["classes"].values() for value in row.values()} == {float, int}
