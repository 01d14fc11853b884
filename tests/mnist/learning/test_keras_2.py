"""Files that Keras 2 wrote: HDF5 weights and YAML with Python tags."""

import json
import re

import h5py
import numpy as np
import pytest
import yaml

from mnist.core.params import load_recipe
from mnist.learning.architecture import build
from mnist.learning.model import load_model, predict
from mnist.learning.serialization import from_yaml
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# As Keras 2.1's `to_yaml` under Python 2 wrote a functional model, in fewer lines.
FUNCTIONAL = """
backend: !!python/unicode 'tensorflow'
class_name: Model
config:
  input_layers:
  - [input_1, 0, 0]
  layers:
  - class_name: InputLayer
    config: {batch_input_shape: !!python/tuple [null, 28, 28, 1], dtype: float32, name: input_1, sparse: false}
    inbound_nodes: []
    name: input_1
  - class_name: Conv2D
    config:
      {activation: linear, bias_regularizer: null, data_format: channels_last, filters: 3, name: conv0, padding: valid,
      bias_initializer: {class_name: Zeros, config: {}}, dilation_rate: &id001 !!python/tuple [1, 1], strides: *id001,
      kernel_initializer: {class_name: VarianceScaling,
      config: {distribution: uniform, mode: fan_avg, scale: 1.0, seed: null}},
      kernel_size: !!python/tuple [3, 3], trainable: true, use_bias: true}
    inbound_nodes: [[[input_1, 0, 0, {}]]]
    name: conv0
  - class_name: Flatten
    config: {name: flatten_1, trainable: true}
    inbound_nodes: [[[conv0, 0, 0, {}]]]
    name: flatten_1
  - class_name: Dense
    config: {activation: softmax, name: fco, trainable: true, units: 10, use_bias: true}
    inbound_nodes: [[[flatten_1, 0, 0, {}]]]
    name: fco
  name: MNIST_Model
  output_layers:
  - [fco, 0, 0]
keras_version: 2.1.2
"""
# As Keras 2.2's `to_yaml` wrote a Sequential.
SEQUENTIAL = """
backend: tensorflow
class_name: Sequential
config:
  layers:
  - class_name: Flatten
    config: {batch_input_shape: !!python/tuple [null, 28, 28, 1], name: flatten_1}
  - class_name: Dense
    config: {activation: softmax, name: fco, units: 10, use_bias: true}
  name: sequential_1
keras_version: 2.2.4
"""


@pytest.mark.parametrize(
    ("text", "parameters"),
    [(FUNCTIONAL, 3 * 9 + 3 + 3 * 26 * 26 * 10 + 10), (SEQUENTIAL, 784 * 10 + 10)],
    ids=["functional", "Sequential"],
)
def test_an_architecture_of_keras_2_is_read(text, parameters):
    model = from_yaml(text)
    assert model.count_params() == parameters
    assert predict(model, np.zeros((2, 28, 28), np.uint8)).shape == (2, 10)


def test_weights_of_keras_2_load_into_the_default_network_and_predict(tmp_path):
    layers = load_recipe(ROOT / "recipes/default.yaml").model
    model, copy = build("bn_cnn", layers, 10), build("bn_cnn", layers, 10)
    write_like_keras_2(tmp_path / "weights.h5", model)
    copy.load_weights(tmp_path / "weights.h5")
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    assert np.array_equal(predict(copy, images), predict(model, images))


def write_like_keras_2(path, model):
    """Keras 2's layout: a group for every layer, names in attributes, weights at `layer/layer/kernel:0`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["keras_version"], file.attrs["backend"] = b"2.1.2", b"tensorflow"
        for layer in model.layers:
            group = file.create_group(layer.name)
            weights = {
                f"{layer.name}/{weight.name}:0": weight.numpy()
                for weight in layer.weights
                if weight.name != "seed_generator_state"
            }
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, value in weights.items():
                group[name] = value


def test_a_whole_model_of_keras_2_is_loaded_without_its_optimizer(tmp_path):
    """As Keras 2.1 saved one: weights under model_weights, and an optimizer whose arguments Keras 3 does not know."""
    config = yaml.safe_load(re.sub("!!python/(tuple|unicode)", "", FUNCTIONAL))
    model, path = from_yaml(FUNCTIONAL), tmp_path / "old.h5"
    optimizer = {"class_name": "Adadelta", "config": {"lr": 1.0, "rho": 0.95, "decay": 0.0, "epsilon": 1e-07}}
    training = {"optimizer_config": optimizer, "loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    training |= {"sample_weight_mode": None, "loss_weights": None}
    write_like_keras_2(tmp_path / "weights.h5", model)
    with h5py.File(tmp_path / "weights.h5") as weights, h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({key: config[key] for key in ("class_name", "config")}).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        file.attrs["keras_version"], file.attrs["backend"] = b"2.1.2", b"tensorflow"
        weights.copy(weights, file, "model_weights")
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    assert np.array_equal(predict(load_model(path), images), predict(model, images))
