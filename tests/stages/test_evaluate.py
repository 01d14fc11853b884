"""The evaluate stage refuses a model that does not answer for each class."""

import numpy as np
import pytest

from mnist.core.files import read_json
from mnist.core.table import write_csv
from mnist.learning.model import ModelError
from stages import evaluate
from tests.conftest import write_params

pytestmark = pytest.mark.slow


def test_a_model_of_other_classes_is_refused_and_nothing_is_written(project, content):
    content["datasets"]["mnist"]["classes"].append("ten")
    write_params(project, content)
    with pytest.raises(
        ModelError,
        match=r"^models/MNIST_keras_CNN\.h5: expected rows, columns and classes \(28, 28, 11\), found \(28, 28, 10\)",
    ):
        evaluate.main()
    assert not (project / "metrics").exists()


def test_answers_that_are_no_numbers_are_refused(project, monkeypatch):
    monkeypatch.setattr(evaluate, "predict", lambda model, images: np.full((len(images), 10), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        evaluate.main()
    assert not (project / "metrics").exists()


def test_what_the_model_does_not_know_is_counted_on_pictures_it_has_not_seen(project, real_digits):
    write_csv([tuple(part[:1000] for part in real_digits)], project / "data/csv/train.csv")
    (project / "metrics").mkdir()
    (project / "metrics/history.csv").write_text("epoch,loss,accuracy,val_loss,val_accuracy\n1,1,1,,\n")
    evaluate.main()
    found = read_json(project / "metrics/evaluate.json")["unsure"]
    probabilities = np.load(project / "data/probabilities.npy")
    assert found["test_images"] == (probabilities.max(axis=1) < found["threshold"]).mean()
    assert 0 < found["threshold"] < 1 and set(found["no_class"]) >= {"letters", "noise", "touching"}
