"""Fine-tuning: what is taken from an earlier model, and what is not."""

import hashlib

import numpy as np
import pytest

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import InitialWeights
from mnist.learning.architecture import build
from mnist.learning.backend import keras
from mnist.learning.initial import InitialWeightsError, start_from

pytestmark = pytest.mark.slow

CONVOLUTION = {"Conv2D": {"name": "strokes", "filters": 2, "kernel_size": 5, "strides": 4}}
NORMALIZATION = {"BatchNormalization": {"name": "norm"}}
LAYERS = [CONVOLUTION, NORMALIZATION, {"Dropout": {"rate": 0.5}}, {"Flatten": {}}]
ANSWER = {"Dense": {"name": "answer", "activation": "softmax"}}


@pytest.fixture
def earlier(tmp_path):
    """A model of ten classes in a file, each weight of which has a value of its own."""
    model = build("earlier", [*LAYERS, ANSWER], 10)
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, number + 1))
    model.save(tmp_path / "earlier.h5")
    return tmp_path / "earlier.h5"


def start(path, model, digest=None):
    """Start from the file, named with its SHA-256 or with another one."""
    start_from(InitialWeights.model_construct(file=str(path), sha256=digest or sha256(path)), model)


FRESH = [CONVOLUTION, NORMALIZATION, {"ReLU": {}}, {"Flatten": {}}]
DEEPER = [{"Dense": {"name": "hidden", "units": 10}}, {"Dense": {"name": "last", "activation": "softmax"}}]


@pytest.mark.parametrize(
    ("layers", "classes", "taken", "said"),
    [
        ([*LAYERS, ANSWER], 10, 8, "weights taken for strokes, norm, answer; fresh: none"),
        ([*FRESH, ANSWER], 26, 6, "weights taken for strokes, norm; fresh: answer"),
        ([*LAYERS, *DEEPER], 10, 8, "weights taken for strokes, norm, hidden; fresh: last"),
    ],
    ids=["the same form", "other classes", "deeper"],
)
def test_layers_that_fit_are_taken_the_others_left_and_all_are_named(earlier, capfd, layers, classes, taken, said):
    model = build("own", layers, classes)
    before = model.get_weights()
    start(earlier, model)
    for number, (weight, old) in enumerate(zip(model.get_weights(), before, strict=True)):
        np.testing.assert_array_equal(weight, np.full(old.shape, number + 1) if number < taken else old)
    assert capfd.readouterr().out == f"{earlier}: {said}\n"


def test_a_model_of_which_nothing_fits_is_refused(earlier):
    model = build("own", [{"Flatten": {}}, ANSWER], 10)
    with pytest.raises(InitialWeightsError, match=r"expected a model with a layer like one of own's, found none$"):
        start(earlier, model)


def test_weights_that_are_not_finite_are_refused_and_the_layer_is_named(tmp_path):
    model = build("earlier", [*LAYERS, ANSWER], 10)
    model.get_layer("norm").gamma.assign([1, np.nan])
    model.save(tmp_path / "earlier.h5")
    with pytest.raises(InitialWeightsError, match=r"earlier.h5: expected finite weights, found others in norm$"):
        start(tmp_path / "earlier.h5", build("own", [*LAYERS, ANSWER], 10))


def test_another_file_than_the_one_that_the_recipe_names_is_refused_with_its_sha256(earlier):
    words = rf"train\.initial_weights\.sha256: expected that of {earlier}, {sha256(earlier)}, found {'0' * 64}$"
    with pytest.raises(InitialWeightsError, match=words):
        start(earlier, build("own", [*LAYERS, ANSWER], 10), "0" * 64)


def test_a_file_that_holds_a_bare_layer_is_refused_in_one_line(tmp_path):
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    keras.saving.save_model(layer, tmp_path / "layer.keras")
    with pytest.raises(UserError, match=r"layer.keras: expected a Keras model: found a Dense$"):
        start(tmp_path / "layer.keras", keras.Sequential())


@pytest.mark.parametrize(
    ("content", "found"), [(None, "to start from, found no such file"), (b"no model", "a Keras model: ")]
)
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path, content, found):
    path = tmp_path / "bad.h5"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: expected [^\n]*{found}[^\n]*$"):
        start(path, keras.Sequential(), hashlib.sha256(content or b"").hexdigest())
