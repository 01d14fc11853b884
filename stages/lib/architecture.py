"""List of layers → keras.Sequential, and the YAML and JSON of an architecture, both ways."""

import json
from typing import Any

import yaml

from stages.lib.backend import keras
from stages.lib.errors import PipelineError

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
        except (TypeError, ValueError, AttributeError) as error:
            raise ArchitectureError(f"params.yaml: {where}: {_first_line(error)}") from None
    if model.output_shape != (None, classes):
        raise ArchitectureError(
            f"params.yaml: architectures.{name}: expected output shape {(None, classes)}, found {model.output_shape}"
        )
    return model


def _argument(key: str, value: Any) -> Any:
    """A layer's argument; `{RandomNormal: {stddev: 0.05}}` for an initializer becomes that object."""
    if not isinstance(value, dict):
        return value
    module = {"initializer": keras.initializers, "regularizer": keras.regularizers}.get(key.rpartition("_")[2])
    if module is None or len(value) != 1:
        raise ValueError(f"{key}: expected a number, text or list, found {value}")
    ((kind, arguments),) = value.items()
    if not isinstance(found := getattr(module, kind, None), type):
        raise ValueError(f"{key}: no class {kind} in {module.__name__}")
    return found(**arguments)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def to_json(model: keras.Model) -> str:
    """The architecture as indented JSON."""
    return json.dumps(json.loads(model.to_json()), indent=2) + "\n"


def from_json(text: str) -> keras.Model:
    """A model with this architecture and fresh weights."""
    return keras.models.model_from_json(text)


def to_yaml(model: keras.Model) -> str:
    """The architecture as YAML: the same mapping as `to_json`."""
    return yaml.safe_dump(json.loads(model.to_json()), sort_keys=False)


def from_yaml(text: str) -> keras.Model:
    """A model with this architecture and fresh weights. YAML tags are refused: data only."""
    return from_json(json.dumps(yaml.safe_load(text)))
