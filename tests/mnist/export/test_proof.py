"""What counts as the same model."""

import numpy as np
import pytest

from mnist.export.proof import ExportError, ask, digest, prove
from mnist.learning.backend import keras

pytestmark = pytest.mark.slow

EXPECTED = np.array([[0.75, 0.25], [0.25, 0.75]])
LABELS = np.array([0, 1])


@pytest.fixture
def path(tmp_path):
    (tmp_path / "some.txt").write_text("12345")
    return tmp_path / "some.txt"


@pytest.mark.parametrize(
    ("found", "exact", "good"),
    [
        (EXPECTED, True, True),
        (EXPECTED + 1e-6, True, True),
        (EXPECTED + np.array([[2e-4, -2e-4], [0, 0]]), True, False),
        (EXPECTED[::-1], True, False),
        (np.full((2, 2), np.nan), True, False),
        (np.array([[np.nan, np.nan], [0.25, 0.75]]), True, False),  # every prediction is still the same
        (EXPECTED + 0.1, False, True),
        (np.full((2, 2), 0.5), False, True),  # one image of two
        (EXPECTED[:, ::-1], False, False),
    ],
)
def test_an_export_is_judged_by_its_predictions(path, found, exact, good):
    if good:
        prove("text", path, found, EXPECTED, LABELS, exact)
    else:
        with pytest.raises(ExportError, match=r"^models/export/some\.txt: expected [^\n]*$"):
            prove("text", path, found, EXPECTED, LABELS, exact)


def test_a_proof_counts_what_differs(path):
    found = np.array([[0.5, 0.5], [0.75, 0.25]])
    assert prove("text", path, found, EXPECTED, LABELS, exact=False) == ("text", "some.txt", 5, 0.5, 0.5, 1)


def test_equal_keras_models_are_asked_once_and_a_changed_one_for_itself(tiny_model, test_part):
    images, answers = test_part[0], {}
    equal = keras.models.clone_model(tiny_model)
    equal.set_weights(tiny_model.get_weights())
    assert digest(equal) == digest(tiny_model)
    first = ask(tiny_model, images, answers)
    assert ask(equal, images, answers) is first
    kernel, *rest = equal.get_weights()
    equal.set_weights([kernel + 1, *rest])
    assert np.abs(ask(equal, images, answers) - first).max() > 0.01
    assert len(answers) == 2
    assert ask(lambda images: "its own", images, answers) == "its own"
