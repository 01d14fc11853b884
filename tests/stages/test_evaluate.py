"""The evaluate stage refuses a model that does not answer for each class."""

import numpy as np
import pytest

from mnist.learning.model import ModelError
from stages import evaluate
from tests.conftest import write_params

pytestmark = pytest.mark.slow


def test_a_model_of_other_classes_is_refused_and_nothing_is_written(project, content):
    content["datasets"]["mnist"]["classes"].append("ten")
    write_params(project, content)
    with pytest.raises(ModelError, match=r"^models/MNIST_keras_CNN\.h5: expected 11 classes, found 10"):
        evaluate.main()
    assert not (project / "metrics").exists()


def test_answers_that_are_no_numbers_are_refused(project, monkeypatch):
    monkeypatch.setattr(evaluate, "predict", lambda model, images: np.full((len(images), 10), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        evaluate.main()
    assert not (project / "metrics").exists()
