"""Metrics, against numbers computed by hand, SciPy and scikit-learn."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from mnist.core.scoring import calibration_error, confusion, doubts, is_unsure, score, score_classes, threshold

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
    found = score(one_hot(np.array([0] * correct + [1] * (n - correct))), np.zeros(n, np.uint8))
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert found.accuracy == pytest.approx(correct / n, abs=1e-15)
    assert (found.accuracy_low, found.accuracy_high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.errors == n - correct


def test_the_wilson_interval_of_a_textbook():
    """8 of 10: 0.4902 to 0.9433 (Newcombe 1998 gives the method; the numbers are widely tabulated)."""
    found = score(one_hot([0] * 8 + [1] * 2), np.zeros(10, np.uint8))
    assert (found.accuracy_low, found.accuracy_high) == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_the_scores_of_six_answers_are_those_counted_by_hand():
    found = score(PROBABILITIES, LABELS)
    assert found.loss == pytest.approx(-np.log([0.8, 0.5, 0.2, 0.8, 0.9, 0.1]).mean(), rel=1e-6)
    assert (found.accuracy, found.errors) == (pytest.approx(4 / 6), 2)
    assert {type(value) for value in found} == {float, int}  # plain numbers that JSON can hold
    rows = score_classes(PROBABILITIES, LABELS, CLASSES)
    assert rows[0] == ("cat", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert rows[1] == ("dog", pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2)
    assert rows[2] == ("owl", 0.0, 0.0, 0.0, 1)
    assert {type(value) for row in rows for value in row} == {str, float, int}
    assert confusion(PROBABILITIES, LABELS, CLASSES).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]  # truth in rows


def test_a_class_without_images_counts_zero():
    assert score_classes(one_hot([0, 1], 3), np.array([0, 1]), CLASSES)[2] == ("owl", 0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize("classes", [10, 20])
def test_the_figures_are_those_of_scikit_learn(classes):
    random = np.random.default_rng(0)
    logits = random.normal(size=(400, classes)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels, predicted = random.integers(0, classes, 400).astype(np.uint8), probabilities.argmax(axis=1)
    wide, names = probabilities.astype(np.float64), [str(i) for i in range(classes)]
    loss = metrics.log_loss(labels, wide / wide.sum(axis=1, keepdims=True))
    assert score(probabilities, labels).loss == pytest.approx(loss)
    per_class = np.array([row[1:] for row in score_classes(probabilities, labels, names)]).T
    np.testing.assert_allclose(per_class, metrics.precision_recall_fscore_support(labels, predicted), atol=1e-15)
    matrix = confusion(probabilities, labels, names)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, predicted))


def test_certainty_that_is_right_costs_nothing_and_certainty_that_is_wrong_a_finite_loss():
    right = score(one_hot([0, 1] * 5), np.array([0, 1] * 5))
    assert (str(right.loss), right.accuracy_high) == ("0.0", 1.0)
    wrong = score(one_hot([0, 1] * 5), np.array([1, 0] * 5))
    assert math.isfinite(wrong.loss) and wrong.accuracy_low == 0.0
    assert score(np.array([[0.4, 0.4]]), np.array([0])).loss == pytest.approx(math.log(2))  # of a sum that is not 1


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


def test_answers_below_the_threshold_are_unsure_and_count_as_no_mistakes():
    assert threshold(PROBABILITIES, 0.4) == pytest.approx(0.7)  # the third of 0.5, 0.6, 0.7, 0.8, 0.8, 0.9
    assert is_unsure(PROBABILITIES, 0.65).tolist() == [False, True, False, False, False, True]
    assert doubts(PROBABILITIES, LABELS, 0.65) == (pytest.approx(2 / 6), pytest.approx(1 / 6))
