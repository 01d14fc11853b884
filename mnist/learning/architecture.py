"""List of layers → keras.Sequential."""

import inspect
import math
from typing import Any

import numpy as np

from mnist.errors import PipelineError, first_line, nearest
from mnist.learning.backend import keras
from mnist.learning.layers import layer_class

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
            model.add(layer_class(kind)(**{key: _argument(key, value) for key, value in arguments.items()}))
        except Exception as error:  # whatever a Keras layer makes of these arguments
            reason = _unknown_argument(kind, arguments) or first_line(error)
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
