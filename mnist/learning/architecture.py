"""List of layers → keras.Sequential, and the YAML and JSON of an architecture, both ways."""

import inspect
import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import yaml

from mnist.errors import PipelineError
from mnist.learning.backend import keras
from mnist.params import REFUSED_LAYERS, nearest

INPUT_SHAPE = (28, 28, 1)


class ArchitectureError(PipelineError):
    """An architecture that Keras cannot build."""


def build(name: str, layers: list[dict[str, dict[str, Any]]], classes: int) -> keras.Sequential:
    """Build the architecture `name` from its layers, each `{class of keras.layers: its arguments}`.

    Returns:
        An uncompiled model: float32 `(n, 28, 28, 1)` in 0–1 → probabilities `(n, classes)`.

    Raises:
        ArchitectureError: names the architecture, the layer's index and Keras' complaint.
    """
    model = keras.Sequential([keras.Input(INPUT_SHAPE)], name=name)
    for index, layer in enumerate(layers):
        ((kind, arguments),) = layer.items()
        where = f"architectures.{name}.{index}.{kind}"
        try:
            model.add(getattr(keras.layers, kind)(**{key: _argument(key, value) for key, value in arguments.items()}))
        except Exception as error:  # whatever a Keras layer makes of these arguments
            reason = _unknown_argument(kind, arguments) or _first_line(error)
            raise ArchitectureError(f"params.yaml: {where}: {reason}") from None
    shape = getattr(model, "output_shape", None)
    if shape != (None, classes):
        raise ArchitectureError(
            f"params.yaml: architectures.{name}: expected output shape {(None, classes)}, found {shape}"
        )
    answer = np.asarray(model(np.linspace(0, 1, 2 * math.prod(INPUT_SHAPE), dtype=np.float32).reshape(2, *INPUT_SHAPE)))
    if not (answer.min() >= 0 and np.allclose(answer.sum(axis=1), 1, atol=1e-3)):
        raise ArchitectureError(
            f"params.yaml: architectures.{name}: expected probabilities (softmax), found sums {answer.sum(axis=1)}"
        )
    return model


def _unknown_argument(kind: str, arguments: dict[str, Any]) -> str:
    """Which argument the layer class does not have, or nothing."""
    classes = getattr(keras.layers, kind).__mro__
    known = {name for cls in classes for name in inspect.signature(cls.__init__).parameters}
    unknown = [key for key in arguments if key not in known]
    return f"unknown argument '{unknown[0]}'{nearest(unknown[0], known)}" if unknown else ""


def _argument(key: str, value: Any) -> Any:
    """A layer's argument; `{RandomNormal: {stddev: 0.05}}` for an initializer becomes that object."""
    if not isinstance(value, dict):
        return value
    module = {"initializer": keras.initializers, "regularizer": keras.regularizers}.get(key.rpartition("_")[2])
    if module is None or len(value) != 1:
        raise ValueError(f"{key}: expected a number, text or list, found {value}")
    ((kind, arguments),) = value.items()
    if any(isinstance(part, dict) for part in arguments.values()):
        raise ValueError(f"{key}: expected numbers and text, found {arguments}")
    if not isinstance(found := getattr(module, kind, None), type):
        raise ValueError(f"{key}: no class {kind} in {module.__name__}")
    return found(**arguments)


def _first_line(error: Exception) -> str:
    """The first line that says what is wrong, without Keras' heading and terminal colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("Exception encountered")), repr(error))


def to_json(model: keras.Model) -> str:
    """The architecture as indented JSON, without the compile settings."""
    return json.dumps(_configuration(model), indent=2) + "\n"


def from_json(text: str) -> keras.Model:
    """An uncompiled model with this architecture and fresh weights.

    Raises:
        ArchitectureError: not JSON, or code from outside Keras.
    """
    with _one_line("architecture JSON"):
        return _from_configuration(_mapping(json.loads(text), "architecture JSON"))


def to_yaml(model: keras.Model) -> str:
    """The architecture as YAML: the same mapping as `to_json`."""
    return yaml.safe_dump(_configuration(model), sort_keys=False)


def _configuration(model: keras.Model) -> dict[str, Any]:
    return {key: value for key, value in json.loads(model.to_json()).items() if key != "compile_config"}


def _from_configuration(config: dict[str, Any]) -> keras.Model:
    plain = {key: value for key, value in config.items() if key != "compile_config"}
    _refuse_foreign_code(plain)
    if plain["class_name"] != "Sequential":
        return keras.models.model_from_json(json.dumps(plain))
    settings = plain["config"]  # Keras 3.15 itself would build the model anew with each layer
    layers = [keras.layers.deserialize(layer) for layer in settings["layers"]]
    model = keras.Sequential(layers, name=settings.get("name"))
    if not model.built and (shape := settings.get("build_input_shape")):
        model.build(shape)
    return model


def from_yaml(text: str) -> keras.Model:
    """An uncompiled model with this architecture and fresh weights, from `to_yaml` here or from Keras 2's `to_yaml`.

    Raises:
        ArchitectureError: not YAML, a tag other than those of tuples and text, or code from outside Keras.
    """
    with _one_line("architecture YAML"):
        config = _mapping(yaml.load(text, _PlainLoader), "architecture YAML")
        if str(config.get("keras_version", 3)).startswith(("1.", "2.")):
            return _from_keras_2(config)
        return _from_configuration(config)


def _mapping(config: Any, what: str) -> dict[str, Any]:
    if not isinstance(config, dict) or not {"class_name", "config"} <= config.keys():
        raise ArchitectureError(f"{what}: expected a mapping with class_name and config, found none")
    return config


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Make one line of whatever the parsers and Keras find wrong with a text from outside."""
    try:
        yield
    except ArchitectureError:
        raise
    except Exception as error:
        raise ArchitectureError(f"{what}: {getattr(error, 'problem', None) or _first_line(error)}") from None


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also takes Python's tuples and text as the lists and text that they are."""


def _sequence(loader: _PlainLoader, node: Any) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


def _scalar(loader: _PlainLoader, node: Any) -> Any:
    return loader.construct_scalar(node)


for _tag, _constructor in (("tuple", _sequence), ("unicode", _scalar), ("str", _scalar)):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _constructor)


def _from_keras_2(config: dict[str, Any]) -> keras.Model:
    """A model from the configuration that Keras 2 wrote, a Sequential or a functional one."""
    from keras.src.legacy.saving.saving_utils import model_from_config  # what keras.models.load_model uses for HDF5

    _refuse_foreign_code(config)
    if config["class_name"] == "Sequential":  # Keras 3 wants the input as a layer of its own
        layers = config["config"]["layers"] if isinstance(config["config"], dict) else config["config"]
        shape = layers[0]["config"].pop("batch_input_shape", None)
        if shape and layers[0]["class_name"] != "InputLayer":
            layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape}})
    return model_from_config(config)


def _refuse_foreign_code(config: Any) -> None:
    """Raise ArchitectureError where a configuration names a class outside Keras, or one that carries code or files."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module") or "keras"
        if name in REFUSED_LAYERS or str(module).split(".")[0] != "keras":
            raise ArchitectureError(
                f"architecture: expected a class of Keras without code of its own, found {module}.{name}"
            )
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else []:
        _refuse_foreign_code(part)
