"""Architectures that Keras or TensorFlow cannot hold, run or save: one line names the layer, before any training."""

import inspect
import random
import re

import pytest

from mnist.core.errors import UserError
from mnist.learning.architecture import ArchitectureError, build
from mnist.learning.backend import keras, quiet
from mnist.learning.layers import REFUSED_LAYERS, UNUSABLE
from tests.fuzz.damage import CASES

pytestmark = pytest.mark.slow
END = [{"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]
# What ended in a traceback, a killed process or a file that nobody could load, once; or trained nothing.
LAYERS = [
    {"Conv2D": {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}},
    {"Embedding": {"input_dim": 0, "output_dim": 2}},
    {"ZeroPadding2D": {"padding": 100_000}},
    {"UpSampling2D": {"size": 5_000}},
    {"Flatten": {"name": ""}},
    {"Flatten": {"name": "."}},
    {"Flatten": {"name": "a\nb"}},
    {"Flatten": {"name": "a\0b"}},
    {"Flatten": {"name": "a/b"}},
    {"Flatten": {"name": "größe"}},
    {"Flatten": {"name": 5}},
    {"Dropout": {"rate": 1.0}},
    {"Dense": {"units": 8, "dtype": "mixed_float16"}},
    {"Dense": {"units": 8, "dtype": "float64"}},
    {"Hashing": {"num_bins": 3}},
    {"Attention": {}},
    {"RNN": {}},
    {"TimeDistributed": {}},
]


def test_strides_that_only_some_processors_have_are_refused_in_a_line_elsewhere():
    """TensorFlow runs them with AVX-512."""
    with quiet():
        try:
            build("some", [{"DepthwiseConv2D": {"kernel_size": 3, "strides": [1, 2]}}, *END], 10)
        except ArchitectureError as error:
            assert re.fullmatch(r"params\.yaml: model.*", str(error))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_what_went_wrong_once_is_refused_in_a_line_that_names_the_layer(layer):
    (kind,) = layer
    with pytest.raises(ArchitectureError) as refusal, quiet():
        build("some", [layer, *END], 10)
    assert str(refusal.value).startswith(("params.yaml: model: ", f"params.yaml: model.0.{kind}: "))
    assert "\n" not in str(refusal.value)


def test_an_index_that_is_not_in_the_table_is_refused():
    with pytest.raises(ArchitectureError, match="indices"), quiet():
        build("some", [{"Flatten": {}}, {"Embedding": {"input_dim": 1, "output_dim": 2}}, *END], 10)


def test_layers_with_arguments_at_random_are_built_or_refused():
    values = [0, 1, 2, 3, -1, 0.5, 1e30, True, "same", "valid", "relu", "softmax", "", "é", None, [], [1, 2], [0, 0, 0]]
    names = sorted({name for name in dir(keras.layers) if name[0].isupper()} - REFUSED_LAYERS - UNUSABLE)
    for case in range(CASES * 3):
        rng = random.Random(case)
        kind = rng.choice(names)
        known = [name for name in inspect.signature(getattr(keras.layers, kind).__init__).parameters if name != "self"]
        arguments = {name: rng.choice(values) for name in known if rng.random() < 0.4}
        try:
            with quiet():
                build("some", [{kind: arguments}, *END], 10)
        except UserError as error:
            assert "\n" not in str(error), (kind, arguments)
