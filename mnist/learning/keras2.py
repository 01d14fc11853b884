"""What Keras 1 and 2 wrote: architectures, and whole models in HDF5 and in Keras' zip archive."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from mnist.learning.backend import keras
from mnist.learning.layers import refuse_foreign_code
from mnist_reader.core.pixels import SHAPE

MODELS = {"Model", "Functional", "Sequential"}
GONE = {"module", "registered_name", "build_config", "batch_input_shape", "build_input_shape"}  # Keras 3 has others
# Arguments that these layers had from their base class, without any effect.
GONE_FROM = {
    kind: {f"kernel_{part}" for part in ("initializer", "regularizer", "constraint")} | {"groups"}
    for kind in ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
}


def is_keras_2(path: Path) -> bool:
    """Whether an HDF5 file or a zip archive says that Keras 1 or 2 wrote it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return is_version_1_or_2(json.loads(archive.read("metadata.json")).get("keras_version", "3"))
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path) as file:
        return is_version_1_or_2(_text(file.attrs.get("keras_version", "3")))


def is_version_1_or_2(version: Any) -> bool:
    """Whether a version of Keras, as a file names it, is before 3."""
    return str(version).startswith(("1.", "2."))


def load_keras_2(path: Path) -> keras.Model:
    """An uncompiled model from a file that Keras 1 or 2 wrote.

    Raises:
        ValueError, KeyError, …: whatever is wrong with it.
    """
    from keras.src.legacy.saving.legacy_h5_format import load_weights_from_hdf5_group

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            model = from_keras_2(json.loads(archive.read("config.json")))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                _load_layers(model, file)
        return model
    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ValueError("found weights alone, without an architecture")
        model = from_keras_2(json.loads(_text(file.attrs["model_config"])))
        load_weights_from_hdf5_group(file["model_weights"], model)
    return model


def from_keras_2(config: dict[str, Any]) -> keras.Model:
    """An uncompiled model from the configuration that Keras 1 or 2 wrote, a Sequential or a functional one.

    Raises:
        ValueError: a class that is not of Keras, or one that carries code or files.
    """
    from keras.src.legacy.saving.saving_utils import model_from_config  # what keras.models.load_model uses

    refuse_foreign_code(config)
    return model_from_config(_modern(config))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _modern(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a layer or a model, with the keys that Keras 3 knows."""
    kind, arguments = config["class_name"], config["config"]
    if isinstance(arguments, list):  # the layers of a Sequential, until Keras 2.2
        arguments = {"name": "sequential", "layers": arguments}
    shape, gone = arguments.get("batch_input_shape"), GONE | GONE_FROM.get(kind, set())
    kept = {key: value for key, value in arguments.items() if key not in gone}
    if kind == "InputLayer" and shape:
        kept["batch_shape"] = shape
    if kind in MODELS:
        kept["layers"] = [_modern(layer) for layer in arguments["layers"]]
        _add_input(kept["layers"], arguments) if kind == "Sequential" else _renumber(kept)
    return {key: value for key, value in config.items() if key not in GONE} | {"config": kept}


def _add_input(layers: list[dict[str, Any]], sequential: dict[str, Any]) -> None:
    """Give a Sequential the input as a layer of its own, where Keras 2 had its shape elsewhere."""
    first = sequential["layers"][0]
    if first["class_name"] not in {"InputLayer", *MODELS}:
        shape = first["config"].get("batch_input_shape") or sequential.get("build_input_shape")
        shape = shape or (None, *SHAPE, 1)  # Keras 2.3.1 left out the InputLayer, and the shape with it
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape}})


def _renumber(graph: dict[str, Any]) -> None:
    """Count the uses of a model within a model from 0, since Keras 2 counted its making as the first."""
    models = {layer["config"].get("name") for layer in graph["layers"] if layer["class_name"] in MODELS}
    uses = [use for layer in graph["layers"] for node in layer["inbound_nodes"] for use in node]
    for use in [*uses, *graph["input_layers"], *graph["output_layers"]]:
        use[1] -= use[0] in models


def _load_layers(model: keras.Model, group: h5py.Group) -> None:
    """Give a model's layers the weights of a Keras 2 archive, whose groups have the names of the layers' classes.

    The second layer of a class has a number at the end of the name, and each further one a higher number.
    """
    from keras.src.utils.naming import to_snake_case

    group = group["layers" if "layers" in group else "_layer_checkpoint_dependencies"]  # the latter until Keras 2.13
    places: dict[str, Iterator[str]] = {}
    for layer in model.layers:
        kind = to_snake_case(type(layer).__name__)
        if kind not in places:
            numbered = [name for name in group if re.fullmatch(rf"{kind}(_\d+)?", name)]
            places[kind] = iter(sorted(numbered, key=lambda name: (len(name), name)))
        if isinstance(layer, keras.Model):
            _load_layers(layer, group[next(places[kind])])
        elif layer.weights:
            values = group[next(places[kind])]["vars"]
            for number, variable in enumerate(layer.weights):
                variable.assign(values[str(number)][()])
