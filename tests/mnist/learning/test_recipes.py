"""Every recipe of the project: its network has the parameters that were published or counted by hand, and it trains."""

import hashlib
import math

import numpy as np
import pytest
import yaml

from mnist.core.params import load_dataset, load_recipe
from mnist.core.sections import InitialWeights
from mnist.learning.training import build_model, training_run
from tests.conftest import ROOT, dataset_of

pytestmark = pytest.mark.slow

PARAMETERS = {
    "default": 330_730,
    "kj7kunal": 330_730,
    "small_data": 330_730,
    "adapt": 330_730,
    "blog_5x5": 1_111_946,
    "haque": 1_199_882,
    "patna_1": 623_290,
    "patna_2": 1_238_730,
    "patna_3": 1_854_170,
    "patna_dropout": 1_854_170,
    "patna_sgd": 1_854_170,
    "patna_sgd_20": 1_854_170,
    # 5²·16, 4·16, 3²·16·32, 4·32, 4²·32·64, 4·64, 64·10+10; and 48 in place of 32
    "fast": 400 + 64 + 4_608 + 128 + 32_768 + 256 + 650,
    "brisk": 400 + 64 + 6_912 + 192 + 49_152 + 256 + 650,
    # 3²·32, 4·32, 3²·32·48, 4·48, 3²·48·64, 4·64, 3²·64·96, 4·96, 3²·96·128, 4·128, 3²·128·128, 4·128, 3²·128·10+10
    "best": 288 + 128 + 13_824 + 192 + 27_648 + 256 + 55_296 + 384 + 110_592 + 512 + 147_456 + 512 + 11_530,
    # as `best` without the last convolution and its normalization
    "fashion": 288 + 128 + 13_824 + 192 + 27_648 + 256 + 55_296 + 384 + 110_592 + 512 + 11_530,
}
BN_CNN = {  # name: (class, output shape of one image), of github.com/kj7kunal/MNIST-Keras
    "conv0": ("Conv2D", (26, 26, 32)),
    "bn0": ("BatchNormalization", (26, 26, 32)),
    "conv1": ("Conv2D", (24, 24, 32)),
    "bn1": ("BatchNormalization", (24, 24, 32)),
    "MP1": ("MaxPooling2D", (12, 12, 32)),
    "conv2": ("Conv2D", (10, 10, 64)),
    "bn2": ("BatchNormalization", (10, 10, 64)),
    "conv3": ("Conv2D", (8, 8, 64)),
    "bn3": ("BatchNormalization", (8, 8, 64)),
    "MP2": ("MaxPooling2D", (4, 4, 64)),
    "fc1": ("Dense", (256,)),
    "fco": ("Dense", (10,)),
}
IMAGES = 80


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A recipe of the project by its name, with its data set; `adapt` starts from a file of this test's."""
    path = tmp_path_factory.mktemp("earlier") / "earlier.h5"

    def load(name):
        recipe = load_recipe(ROOT / f"recipes/{name}.yaml")
        dataset = dataset_of() if recipe.dataset == "own" else load_dataset(recipe.dataset, ROOT / "datasets")
        if not recipe.train.initial_weights:
            return recipe, dataset
        if not path.exists():
            build_model(load_recipe(ROOT / "recipes/default.yaml"), dataset).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        initial = InitialWeights.model_construct(file=str(path), sha256=digest)
        return recipe.model_copy(
            update={"train": recipe.train.model_copy(update={"initial_weights": initial})}
        ), dataset

    return load


def test_each_recipe_has_a_known_number_of_parameters():
    assert {path.stem for path in (ROOT / "recipes").glob("*.yaml")} == {*PARAMETERS, "given"}  # which has none


def test_a_given_model_keeps_its_weights_and_is_trained_on_where_there_are_epochs(load, real_digits, tmp_path):
    recipe, dataset = load("given")
    data = tuple(part[:IMAGES] for part in real_digits)
    given = build_model(load_recipe(ROOT / "recipes/default.yaml"), dataset).get_weights()  # what `load` has written
    with training_run(recipe, dataset, data, tmp_path) as (model, history):
        assert (model.name, model.count_params(), history) == ("given", 330_730, [])
        assert all(np.array_equal(a, b) for a, b in zip(given, model.get_weights(), strict=True))
    longer = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 1})})
    with training_run(longer, dataset, data, tmp_path) as (model, history):
        assert len(history) == 1
        assert not any(np.array_equal(a, b) for a, b in zip(given, model.get_weights(), strict=True))


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_a_recipe_has_the_expected_number_of_parameters_and_trains_an_epoch(
    load, real_digits, tmp_path, capfd, name, parameters
):
    recipe, dataset = load(name)
    short = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 1, "plain_epochs": 0})})
    start = build_model(short, dataset).get_weights()
    with training_run(short, dataset, tuple(part[:IMAGES] for part in real_digits), tmp_path) as (model, history):
        assert model.count_params() == parameters
        assert [row["epoch"] for row in history] == [1]
        assert math.isfinite(history[0]["loss"])
        assert ("val_loss" in history[0]) == bool(recipe.train.validation_split)
        assert all(not np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True) if a.ndim > 1)
    assert ("weights taken for conv0, bn0" in capfd.readouterr().out) == (name == "adapt")


def test_the_default_network_has_the_layers_of_the_publication(load):
    recipe, dataset = load("default")
    model = build_model(recipe, dataset)
    named = [layer for layer in model.layers if layer.name in BN_CNN]
    assert [layer.name for layer in named] == list(BN_CNN)
    assert {layer.name: (type(layer).__name__, layer.output.shape[1:]) for layer in named} == BN_CNN
    assert (model.name, model.input_shape) == ("default", (None, 28, 28, 1))
    assert [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"] == [0.2, 0.4]


@pytest.mark.parametrize("name", ["kj7kunal", "small_data", "adapt"])
def test_recipes_of_the_default_network_repeat_it_as_it_is(name):
    text = (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8")
    layers = yaml.safe_load(text.replace(", momentum: 0.9", "") if name == "small_data" else text)["model"]
    assert layers == load_recipe(ROOT / "recipes/default.yaml").model
