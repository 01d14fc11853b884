"""The evaluate stage refuses a model that does not answer for each class."""

import numpy as np
import pytest
import yaml

from stages import evaluate
from stages.lib.formats import FORMATS
from stages.lib.model import ModelError
from stages.lib.table import write_csv
from tests import digits


@pytest.fixture
def project(tmp_path, monkeypatch, content, real_digits):
    """An empty folder, entered, with parameters and test images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (tmp_path / "data/csv").mkdir(parents=True)
    write_csv([tuple(part[digits.TRAIN :] for part in real_digits)], tmp_path / "data/csv/test.csv")
    (tmp_path / "models").mkdir()
    return tmp_path


def test_a_model_of_other_classes_is_refused_and_nothing_is_written(project, content, tiny_model):
    content["datasets"]["mnist"]["classes"].append("ten")
    (project / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    FORMATS["h5"].write(tiny_model, project / "models/MNIST_keras_CNN.h5", None)
    with pytest.raises(ModelError, match=r"^models/MNIST_keras_CNN\.h5: expected 11 classes, found 10"):
        evaluate.main()
    assert not (project / "metrics").exists()


def test_answers_that_are_no_numbers_are_refused(project, tiny_model, monkeypatch):
    FORMATS["h5"].write(tiny_model, project / "models/MNIST_keras_CNN.h5", None)
    monkeypatch.setattr(evaluate, "predict", lambda model, images: np.full((len(images), 10), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        evaluate.main()
    assert not (project / "metrics").exists()
