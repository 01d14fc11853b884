"""Fine-tuning: what is taken from an earlier model, and what is not."""

import numpy as np
import pytest

from mnist.core.errors import UserError
from mnist.learning.architecture import build
from mnist.learning.backend import keras
from mnist.learning.initial import InitialWeightsError, start_from

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


def first_values(model):
    return [float(weight.numpy().flat[0]) for weight in model.weights]


def test_a_model_of_the_same_form_is_taken_whole(earlier, capfd):
    model = build("own", [*LAYERS, ANSWER], 10)
    start_from(earlier, model)
    assert first_values(model) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert capfd.readouterr().out == f"{earlier}: weights taken for strokes, norm, answer; fresh: none\n"


def test_layers_that_fit_are_taken_and_the_others_named(earlier, capfd):
    model = build("own", [CONVOLUTION, NORMALIZATION, {"ReLU": {}}, {"Flatten": {}}, ANSWER], 26)
    fresh = [weight.numpy() for weight in model.layers[-1].weights]
    start_from(earlier, model)
    assert first_values(model)[:6] == [1, 2, 3, 4, 5, 6]
    assert all(np.array_equal(*pair) for pair in zip(fresh, model.layers[-1].get_weights(), strict=True))
    assert capfd.readouterr().out.endswith(": weights taken for strokes, norm; fresh: answer\n")


def test_a_deeper_model_keeps_the_layers_that_the_earlier_one_does_not_have(earlier, capfd):
    hidden = {"Dense": {"name": "hidden", "units": 10}}
    start_from(earlier, build("own", [*LAYERS, hidden, {"Dense": {"name": "last", "activation": "softmax"}}], 10))
    assert capfd.readouterr().out.endswith(": weights taken for strokes, norm, hidden; fresh: last\n")


def test_a_model_of_which_nothing_fits_is_refused(earlier):
    model = build("own", [{"Flatten": {}}, ANSWER], 10)
    with pytest.raises(InitialWeightsError, match=r"expected a model with a layer like one of own's, found none$"):
        start_from(earlier, model)


def test_weights_that_are_not_finite_are_refused_and_the_layer_is_named(tmp_path):
    model = build("earlier", [*LAYERS, ANSWER], 10)
    model.get_layer("norm").gamma.assign([1, np.nan])
    model.save(tmp_path / "earlier.h5")
    with pytest.raises(InitialWeightsError, match=r"earlier.h5: expected finite weights, found others in norm$"):
        start_from(tmp_path / "earlier.h5", build("own", [*LAYERS, ANSWER], 10))


def test_a_file_that_holds_a_bare_layer_is_refused_in_one_line(tmp_path):
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    keras.saving.save_model(layer, tmp_path / "layer.keras")
    with pytest.raises(UserError, match=r"layer.keras: expected a Keras model: found a Dense$"):
        start_from(tmp_path / "layer.keras", keras.Sequential())


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "bad.h5"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        start_from(path, keras.Sequential())
    assert str(refusal.value).startswith(f"{path}: expected ") and "\n" not in str(refusal.value)
