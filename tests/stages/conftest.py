"""A project in which every stage can run."""

import pytest

from tests import digits
from tests.conftest import write_params


@pytest.fixture
def project(project, content, real_digits):
    """The shared folder with a training table as well: nine tenths to train on and six images held out."""
    from mnist.core.table import write_csv

    train = content["train"] | {"validation_split": 0.1}
    write_params(project, content | {"train": train, "export": {"formats": ["weights", "json"]}})
    write_csv([tuple(part[:60] for part in real_digits)], project / "data/csv/train.csv")
    return project


@pytest.fixture
def evaluated(project, tiny_model, real_digits):
    """The project after its evaluate stage, as far as the export stage reads it."""
    from mnist.core.evaluation import Evaluation
    from mnist.learning.model import predict

    answers = predict(tiny_model, real_digits[0])
    held_out, test = answers[54:60], answers[digits.TRAIN :]
    Evaluation(test, held_out, {"noise": held_out}).write(project / "data/probabilities.npz")
    return project
