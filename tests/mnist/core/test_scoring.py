"""Metrics, against numbers computed by hand, SciPy and scikit-learn."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from mnist.core.scoring import calibration_error, confusion, score

CLASSES = ["cat", "dog", "owl"]
# true:      cat  cat  cat  dog  dog  owl;   predicted: cat  cat  dog  dog  dog  cat
LABELS = np.array([0, 0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.05, 0.9, 0.05], [0.6, 0.3, 0.1]], np.float32
)


def one_hot(predicted, classes=2):
    return np.eye(classes, dtype=np.float32)[predicted]


@pytest.mark.parametrize(("correct", "n"), [(9955, 10_000), (5, 10), (0, 10), (10, 10), (1, 1)])
def test_accuracy_and_its_wilson_interval(correct, n):
    predicted = np.array([0] * correct + [1] * (n - correct))
    found = score(one_hot(predicted), np.zeros(n, np.uint8), ["0", "1"])
    assert found["accuracy"] == pytest.approx(correct / n, abs=1e-15)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (found["num_images"], found["num_errors"]) == (n, n - correct)


def test_the_wilson_interval_of_a_textbook():
    """8 of 10: 0.4902 to 0.9433 (Newcombe 1998 gives the method; the numbers are widely tabulated)."""
    found = score(one_hot([0] * 8 + [1] * 2), np.zeros(10, np.uint8), ["0", "1"])
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_the_loss_is_the_mean_negative_logarithm_of_the_true_class():
    expected = -np.log(np.array([0.8, 0.5, 0.2, 0.8, 0.9, 0.1])).mean()
    assert score(PROBABILITIES, LABELS, CLASSES)["loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("classes", [10, 20])
def test_the_figures_are_those_of_scikit_learn(classes):
    random = np.random.default_rng(0)
    logits = random.normal(size=(400, classes)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels, predicted = random.integers(0, classes, 400).astype(np.uint8), probabilities.argmax(axis=1)
    wide, names = probabilities.astype(np.float64), [str(i) for i in range(classes)]
    found = score(probabilities, labels, names)
    assert found["loss"] == pytest.approx(metrics.log_loss(labels, wide / wide.sum(axis=1, keepdims=True)))
    per_class = np.array([list(row.values()) for row in found["classes"].values()]).T
    np.testing.assert_allclose(per_class, metrics.precision_recall_fscore_support(labels, predicted), atol=1e-15)
    matrix = confusion(probabilities, labels, names)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, predicted))


def test_certainty_that_is_right_costs_nothing_and_reaches_the_end_of_the_interval():
    found = score(one_hot([0, 1] * 5), np.array([0, 1] * 5), ["0", "1"])
    assert (str(found["loss"]), found["accuracy_high"]) == ("0.0", 1.0)
    assert score(one_hot([0, 1] * 5), np.array([1, 0] * 5), ["0", "1"])["accuracy_low"] == 0.0


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
