"""Fine-tuning, and models that were made elsewhere: what is taken of them, and what is not."""

import hashlib

import numpy as np
import pytest

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import InitialWeights
from mnist.learning.architecture import build
from mnist.learning.backend import keras
from mnist.learning.initial import InitialWeightsError, given_model, start_from

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


L = keras.layers
WEIGHTS = np.random.default_rng(3).normal(size=(784, 10)).astype(np.float32)
IMAGES = np.random.default_rng(4).random((5, 28, 28, 1)).astype(np.float32)


def sequential(shape, *before, activation="softmax", classes=10):
    """A linear model of one layer."""
    last = L.Dense(classes, use_bias=False, activation=activation)
    model = keras.Sequential([keras.Input(shape), *before, last])
    last.set_weights([WEIGHTS[:, :classes]])
    return model


def functional():
    inputs = keras.Input((28, 28, 1))
    last = L.Dense(10, use_bias=False, activation="softmax")
    model = keras.Model(inputs, last(L.Flatten()(inputs)))
    last.set_weights([WEIGHTS])
    return model


def given(path, model):
    model.save(path)
    return given_model(
        InitialWeights(file="some.h5", sha256=sha256(path)).model_copy(update={"file": str(path)}),
        "given",
        10,
        (28, 28),
    )


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize(
    "model",
    [
        lambda: sequential((28, 28, 1), L.Flatten()),
        lambda: sequential((28, 28), L.Flatten()),
        lambda: sequential((784,)),
        lambda: sequential((28, 28), L.Flatten(), activation=None),
        functional,
    ],
    ids=["as ours", "without channels", "a row of pixels", "logits", "functional"],
)
def test_a_model_that_was_made_elsewhere_takes_images_and_gives_probabilities(tmp_path, model, suffix):
    found = given(tmp_path / f"theirs.{suffix}", model())
    assert (found.name, found.input_shape, found.output_shape) == ("given", (None, 28, 28, 1), (None, 10))
    powers = np.exp(IMAGES.reshape(5, 784) @ WEIGHTS)
    np.testing.assert_allclose(found.predict(IMAGES, verbose=0), powers / powers.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (lambda: sequential((28, 28, 1), L.Flatten(), classes=9), r"found (None, 28, 28, 1) → (None, 9)"),
        (lambda: sequential((14, 56, 2), L.Conv2D(1, 1), L.Flatten()), r"found (None, 14, 56, 2) → (None, 10)"),
        (lambda: sequential((784,), activation="sigmoid"), "expected probabilities (softmax), found sums ["),
    ],
    ids=["other classes", "other images", "no probabilities"],
)
def test_a_model_of_other_images_or_answers_is_refused(tmp_path, model, found):
    with pytest.raises(InitialWeightsError) as error:
        given(tmp_path / "theirs.h5", model())
    assert found in str(error.value) and str(error.value).startswith(f"{tmp_path}/theirs.h5: expected ")
