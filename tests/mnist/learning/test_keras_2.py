"""Files that Keras 2 wrote: HDF5, zip archives, and YAML with Python tags."""

import io
import json
import re
import zipfile

import h5py
import numpy as np
import pytest
import yaml

from mnist.core.params import load_recipe
from mnist.learning.architecture import build
from mnist.learning.model import ModelError, load_model, predict
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


RNG = np.random.default_rng(7)
CONV, BIAS = RNG.normal(size=(28, 28, 1, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
DENSE, OFFSET = RNG.normal(size=(3, 10)).astype(np.float32), RNG.normal(size=10).astype(np.float32)
IMAGES = RNG.integers(0, 256, (6, 28, 28), np.uint8)


def expected():
    """What the model of these weights answers: one convolution as large as the image, then a softmax."""
    powers = np.exp((np.einsum("nrc,rck->nk", IMAGES / 255, CONV[:, :, 0]) + BIAS) @ DENSE + OFFSET)
    return powers / powers.sum(axis=1, keepdims=True)


def layer(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}


# As Keras 2.3.1, 2.13.1 and 2.15 wrote the layers, with fewer arguments.
FIRST = layer("Conv2D", "conv2d_7", filters=3, kernel_size=[28, 28], padding="valid", activation="linear")
SHAPED = layer(
    "Conv2D", "conv2d_7", batch_input_shape=[None, 28, 28, 1], filters=3, kernel_size=[28, 28], use_bias=True
)
REST = [layer("Flatten", "flatten_2"), layer("Dense", "dense_9", units=10, activation="softmax")]
INPUT = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 28, 28, 1], "name": "input_1"}}
WRONG = {"kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}, "groups": 1}  # of Keras 2.13
VARS = {"conv2d": [CONV, BIAS], "dense": [DENSE, OFFSET]}


def sequential(*layers, **config):
    return {"class_name": "Sequential", "config": {"name": "sequential_3", "layers": list(layers), **config}}


def graph(*layers, inner=0):
    """A functional model whose layers follow one another; `inner` is the use of a model within it, as it counted."""
    nodes, before = [], []
    for each in layers:
        nodes.append({**each, "name": each["config"]["name"], "inbound_nodes": before})
        use = inner if each["class_name"] == "Sequential" else 0
        before = [[[each["config"]["name"], use, 0, {}]]]
    ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [before[0][0][:3]]}
    return {"class_name": "Functional", "config": {"name": "model_1", "layers": nodes, **ends}}


def write_whole_h5(path, config, version):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = version, "tensorflow"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"conv2d_7", b"flatten_2", b"dense_9"]
        for name, values in (("conv2d_7", VARS["conv2d"]), ("flatten_2", []), ("dense_9", VARS["dense"])):
            group = weights.create_group(name)
            names = [f"{name}/{part}:0" for part, _ in zip(("kernel", "bias"), values, strict=False)]
            group.attrs["weight_names"] = [part.encode() for part in names]
            for part, value in zip(names, values, strict=True):
                group[part] = value


def write_archive(path, config, version, groups):
    """A `.keras` file of Keras 2: the weights of each layer in the group of this name."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, values in groups.items():
            for number, value in enumerate(values):
                file[f"{name}/vars/{number}"] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2023-07-01@12:00:00"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", content.getvalue())


@pytest.mark.parametrize(
    ("config", "version"),
    [
        (sequential(SHAPED, *REST), "2.3.1"),
        (sequential(FIRST, *REST, build_input_shape=[None, 28, 28, 1]), "2.3.1"),
        (sequential(FIRST, *REST), "2.3.1"),  # an InputLayer, which it left out, and the shape with it
        ({**sequential(SHAPED, *REST), "config": [SHAPED, *REST]}, "2.1.6-tf"),
        (sequential(INPUT, SHAPED, *REST), "2.13.1"),
        (graph(INPUT, FIRST, *REST), "2.15.0"),
    ],
    ids=["shape in the first layer", "shape beside", "no shape", "list", "shape twice", "functional"],
)
def test_whole_models_in_hdf5_are_loaded(tmp_path, config, version):
    write_whole_h5(tmp_path / "old.h5", config, version)
    assert np.allclose(predict(load_model(tmp_path / "old.h5"), IMAGES), expected(), atol=1e-5)


def of_keras(config, module="keras.layers"):
    """The configuration with the modules that Keras 2.13 and later name."""
    if isinstance(config, list):
        return [of_keras(part) for part in config]
    if not (isinstance(config, dict) and "class_name" in config):
        return config
    layers = {key: of_keras(value) for key, value in config["config"].items()}
    return {**config, "module": module, "registered_name": None, "config": layers}


@pytest.mark.parametrize("version", ["2.13.1", "2.15.0"])
@pytest.mark.parametrize("form", ["Sequential", "functional", "nested"])
def test_archives_of_keras_2_are_loaded(tmp_path, version, form):
    root = "_layer_checkpoint_dependencies" if version == "2.13.1" else "layers"
    groups = {f"{root}/{name}": values for name, values in VARS.items()}
    if form == "nested":
        inner = {**sequential(INPUT, FIRST, REST[0]), "name": "sequential_3"}
        config = graph(INPUT, inner, REST[1], inner=1)
        groups[f"{root}/sequential/{root}/conv2d"] = groups.pop(f"{root}/conv2d")
    else:
        config = (sequential if form == "Sequential" else graph)(INPUT, FIRST, *REST)
    config = of_keras(config, "keras" if form == "Sequential" else "keras.src.engine.functional")
    write_archive(tmp_path / "old.keras", config, version, groups)
    assert np.allclose(predict(load_model(tmp_path / "old.keras"), IMAGES), expected(), atol=1e-5)


@pytest.mark.parametrize("names", [("dense", "dense_1", "dense_2"), ("dense", "dense_2", "dense_10")])
def test_layers_of_one_class_get_their_own_weights_of_an_archive(tmp_path, names):
    """Keras 2.13 left numbers out. The first two layers here swap the numbers that they get; the third does nothing."""
    swap, nothing = np.eye(10, dtype=np.float32)[::-1], np.eye(10, dtype=np.float32)
    layers = [layer("Dense", f"any_{n}", units=10, use_bias=False, activation="linear") for n in range(3)]
    config = of_keras(
        sequential(INPUT, FIRST, REST[0], layer("Dense", "to_10", units=10), *layers, layer("Softmax", "s"))
    )
    first, *others = names
    groups = {"conv2d": [CONV, BIAS], first: [DENSE, OFFSET], f"{first}_20": [nothing]}
    groups |= dict(zip(others, ([swap], [swap]), strict=True))
    write_archive(tmp_path / "old.keras", config, "2.15.0", {f"layers/{name}": part for name, part in groups.items()})
    assert np.allclose(predict(load_model(tmp_path / "old.keras"), IMAGES), expected(), atol=1e-5)


def test_arguments_without_effect_are_passed_over(tmp_path):
    """Keras 2.13 and 2.15 wrote them for depthwise and separable convolutions; Keras 3 refuses them."""
    separable = layer("SeparableConv2D", "separable", filters=3, kernel_size=[28, 28], use_bias=True, **WRONG)
    depth, point = CONV[..., :1], np.ones((1, 1, 1, 3), np.float32)
    config, groups = of_keras(sequential(INPUT, separable, *REST)), {"layers/separable_conv2d": [depth, point, BIAS]}
    groups["layers/dense"] = [DENSE, OFFSET]
    write_archive(tmp_path / "old.keras", config, "2.15.0", groups)
    powers = np.exp(((IMAGES / 255 * CONV[:, :, 0, 0]).sum(axis=(1, 2))[:, None] + BIAS) @ DENSE + OFFSET)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    assert np.allclose(predict(load_model(tmp_path / "old.keras"), IMAGES), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (sequential(INPUT, layer("Lambda", "code", function=["4wEAAAA=", None, None]), *REST), "found keras.Lambda"),
        (sequential(INPUT, {**FIRST, "module": "os"}, *REST), "found os.Conv2D"),
        (sequential(INPUT, FIRST, layer("Dense", "dense_9", units=11)), ""),
        (sequential(), ""),
        ({"class_name": "Sequential"}, ""),
    ],
)
def test_what_is_no_model_or_brings_code_is_refused_in_one_line(tmp_path, config, line):
    for name, write in (("old.h5", write_whole_h5), ("old.keras", lambda *given: write_archive(*given, VARS))):
        write(tmp_path / name, config, "2.13.1")
        with pytest.raises(ModelError, match=f"{name}: expected a Keras model: [^\n]*{line}"):
            load_model(tmp_path / name)
