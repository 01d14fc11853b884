"""What the tests of exports share."""

import numpy as np
import pytest

from tests import digits
from tests.conftest import ABOUT, dataset_of, recipe_of


@pytest.fixture(scope="package")
def source(tiny_model, real_digits, tmp_path_factory):
    """The tiny model as a stage has it: loaded from its file."""
    from mnist.export.runtime import Source
    from mnist.learning.model import load_model

    path = tmp_path_factory.mktemp("model") / "tiny.h5"
    tiny_model.save(path)
    return Source(load_model(path), path, real_digits[0][:100], ABOUT)


@pytest.fixture(scope="package")
def test_part(real_digits):
    return tuple(part[digits.TRAIN :] for part in real_digits)


@pytest.fixture(scope="package")
def facts(source, test_part):
    """What the card and the bill of materials tell of the tiny model."""
    from mnist.core.evaluation import Evaluation
    from mnist.export.card import Facts
    from mnist.learning.model import predict

    images, labels = test_part
    answers = predict(source.model, images)
    made = {"noise": np.array([[0.4, 0.6], [0.5, 0.5]]).repeat(5, axis=1) / 5, "letters": np.eye(10)}
    recipe = recipe_of(printed=0.03, out_of_class=0.1)
    return Facts(recipe, dataset_of(), source, Evaluation(answers, answers, made), labels, 1234, 56)


def forward(model, images):
    """The tiny model in NumPy: convolution of stride 3, batch normalization, ReLU, dense layer, softmax."""
    weight = {variable.path.partition("/")[2]: variable.numpy().astype(np.float64) for variable in model.variables}
    x = images.astype(np.float64)[:, :27, :27] / 255
    patches = x.reshape(len(x), 9, 3, 9, 3)
    x = np.einsum("nrycx,yxf->nrcf", patches, weight["conv/kernel"][:, :, 0]) + weight["conv/bias"]
    x = (x - weight["bn/moving_mean"]) / np.sqrt(weight["bn/moving_variance"] + 0.001)
    x = np.maximum(x * weight["bn/gamma"] + weight["bn/beta"], 0).reshape(len(x), -1)
    x = np.exp(x @ weight["out/kernel"] + weight["out/bias"])
    return x / x.sum(axis=1, keepdims=True)
