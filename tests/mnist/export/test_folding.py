"""Batch normalization becomes part of the layer before it, where no answer changes by that."""

import numpy as np
import pytest

from mnist.export.folding import folded
from mnist.learning.backend import keras

pytestmark = pytest.mark.slow

CONV = {"Conv2D": {"filters": 4, "kernel_size": 3}}
BIASLESS = {"Conv2D": {"filters": 4, "kernel_size": 3, "use_bias": False}}
BN, DENSE, FLATTEN = {"BatchNormalization": {}}, {"Dense": {"units": 5}}, {"Flatten": {}}


def model_of(layers):
    made = [getattr(keras.layers, kind)(**settings) for layer in layers for kind, settings in layer.items()]
    return keras.Sequential([keras.Input((12, 12, 1)), *made])


def normalizations(model):
    return sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        ([CONV, BN, {"ReLU": {}}, FLATTEN, DENSE, BN], 0),
        ([BIASLESS, BN, CONV, {"BatchNormalization": {"scale": False}}, {"BatchNormalization": {"center": False}}], 0),
        ([CONV, {"BatchNormalization": {"axis": 3}}], 0),
        ([CONV, {"BatchNormalization": {"axis": 1}}], 1),
        ([{"Conv2D": {"filters": 4, "kernel_size": 3, "activation": "relu"}}, BN], 1),
        ([BN, CONV, {"MaxPooling2D": {}}, BN], 2),
        ([{"Reshape": {"target_shape": [12, 12]}}, {"Masking": {}}, DENSE, BN], 0),
        ([FLATTEN, {"Dense": {"units": 5, "lora_rank": 2}}, BN], 1),
    ],
)
def test_a_normalization_is_folded_only_into_a_linear_layer_and_changes_no_answer(layers, left):
    model, rng = model_of(layers), np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, weight.shape) for weight in model.get_weights()])
    images = rng.normal(size=(6, 12, 12, 1)).astype(np.float32)
    plain = folded(model)
    assert normalizations(plain) == left
    np.testing.assert_allclose(plain(images), model(images, training=False), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layers",
    [
        [{"Permute": {"dims": [3, 1, 2]}}, {"Conv2D": {**CONV["Conv2D"], "data_format": "channels_first"}}, BN],
        [{"Conv2D": {**CONV["Conv2D"], "dtype": "mixed_float16"}}, BN],
    ],
    ids=["channels first", "16 bits"],
)
def test_a_normalization_stays_after_a_convolution_that_not_every_processor_runs(layers):
    """Only looked at: oneDNN has neither of the two without AVX-512."""
    assert normalizations(folded(model_of(layers))) == 1
