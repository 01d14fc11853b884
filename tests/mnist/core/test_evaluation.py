"""The model's answers in one file: they come back as they were, or are refused in one line."""

import numpy as np
import pytest

from mnist.core.evaluation import Evaluation, EvaluationError, read_evaluation
from tests.fuzz.damage import damaged

LABELS = np.array([0, 1, 1, 1])
TEST = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]], np.float32)
# Of 1,001 answers whose largest probabilities are 0.5, 0.5005 … 1, 0.9 % lie below the tenth, 0.5045.
CONFIDENCE = np.linspace(0.5, 1, 1001)
HELD_OUT = np.column_stack([CONFIDENCE, 1 - CONFIDENCE])
NO_CLASS = {"noise": np.array([[0.5, 0.5], [0.504, 0.496], [0.9, 0.1], [0.505, 0.495]]), "letters": TEST}
EVALUATION = Evaluation(TEST, HELD_OUT, NO_CLASS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "probabilities.npz"


def test_the_answers_come_back_and_are_written_with_the_same_bytes(path):
    EVALUATION.write(path)
    content = path.read_bytes()
    found = read_evaluation(path, (4, 2))
    np.testing.assert_array_equal(found.test, TEST)
    np.testing.assert_array_equal(found.held_out, HELD_OUT)
    assert list(found.out_of_class) == ["noise", "letters"]
    found.write(path)
    assert path.read_bytes() == content
    assert np.load(path)["test"].dtype == np.float32


def test_the_threshold_leaves_nine_of_a_thousand_held_out_images_unsure():
    assert EVALUATION.threshold == pytest.approx(0.5045)
    assert (HELD_OUT.max(axis=1) < EVALUATION.threshold).sum() == 9
    assert EVALUATION.unsure_of_no_class() == {"noise": 0.5, "letters": 0.0}


def test_scores_and_doubts_are_those_counted_by_hand():
    scores = EVALUATION.scores(LABELS)
    assert (scores.accuracy, scores.errors) == (0.75, 1)
    unsure = EVALUATION._replace(held_out=np.array([[0.65, 0.35]]))  # the threshold is 0.65
    assert unsure.doubts(LABELS) == (0.25, 0.0)
    assert EVALUATION.doubts(LABELS) == (0.0, 0.25)


def write_array(path):
    with path.open("wb") as file:
        np.save(file, TEST)


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (lambda path: path.write_bytes(b""), "the model's answers"),
        (lambda path: path.write_bytes(b"no array"), "the model's answers"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "the model's answers"),
        (lambda path: path.write_bytes(b"PK"), "the model's answers"),
        (write_array, "the model's answers"),
        (lambda path: np.savez(path, test=TEST), "the model's answers"),
        (lambda path: EVALUATION._replace(test=TEST[:2]).write(path), r"shape \(4, 2\), found \(2, 2\)"),
    ],
    ids=["empty", "text", "truncated", "zip", "a single array", "no held-out images", "of other images"],
)
def test_a_file_of_something_else_is_refused_in_one_line(path, write, found):
    write(path)
    with pytest.raises(EvaluationError, match=rf"^\S*probabilities\.npz: expected [^\n]*{found}[^\n]*$"):
        read_evaluation(path, (4, 2))


def test_damaged_answers_are_read_or_refused(path):
    EVALUATION._replace(held_out=TEST).write(path)
    for content in damaged(path.read_bytes(), "evaluation"):
        path.write_bytes(content)
        try:
            assert read_evaluation(path, (4, 2)).test.shape == (4, 2)
        except EvaluationError as error:
            assert "\n" not in str(error)
