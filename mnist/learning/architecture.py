"""List of layers → keras.Sequential."""

import math
import re
from typing import Any

import numpy as np

from mnist.core.errors import UserError, first_line
from mnist.learning.backend import keras
from mnist.learning.layers import class_of, unknown_argument
from mnist_reader.core.pixels import SHAPE, Shape

LARGEST = 2**22  # numbers that a layer may make of one image; a batch of 128 then takes 2 GB


class ArchitectureError(UserError):
    """An architecture that Keras cannot build."""


def build(name: str, layers: list[dict[str, dict[str, Any]]], classes: int, shape: Shape = SHAPE) -> keras.Sequential:
    """Build a model of this name from its layers, each `{class of keras.layers: its arguments}`.

    A last layer `Dense` that says nothing of its `units` gets one for each class.

    Returns:
        An uncompiled model: float32 `(n, *shape, 1)` in 0–1 → probabilities `(n, classes)`.

    Raises:
        ArchitectureError: names the layer's index and what is wrong with it, by Keras or by us: a
            layer too large or not of float32, no layer that can learn, an answer that is not a probability a class.
    """
    model = keras.Sequential([keras.Input((*shape, 1))], name=name)
    for index, layer in enumerate(layers):
        ((kind, arguments),) = layer.items()
        if kind == "Dense" and index == len(layers) - 1:
            arguments = {"units": classes} | arguments
        where = f"model.{index}.{kind}"
        try:
            made = class_of(keras.layers, kind)
        except ValueError as error:
            raise ArchitectureError(f"params.yaml: {where}: {error}") from None
        try:
            model.add(made(**{key: _argument(key, value) for key, value in arguments.items()}))
            _check_layer(model.layers[-1], getattr(model, "output_shape", None))
        except Exception as error:  # whatever a Keras layer makes of these arguments
            reason = unknown_argument(made, arguments) or first_line(error)
            raise ArchitectureError(f"params.yaml: {where}: {reason}") from None
    try:
        _check_model(model, classes, shape)
    except Exception as error:  # whatever TensorFlow cannot run
        raise ArchitectureError(f"params.yaml: model: {first_line(error)}") from None
    return model


def _check_layer(layer: keras.Layer, shape: Any) -> None:
    """Raise ValueError where a layer would fill the memory, or computes in other numbers than float32."""
    sizes = [size or 1 for size in shape or ()] if isinstance(shape, tuple) else []
    if math.prod(sizes) > LARGEST:
        raise ValueError(f"expected at most {LARGEST} numbers for an image, found {shape}")
    if layer.dtype_policy.name != "float32":
        raise ValueError(f"dtype: expected float32, found {layer.dtype_policy.name}")


def _check_model(model: keras.Sequential, classes: int, shape: Shape) -> None:
    """Raise ValueError where a model does not answer with a probability for each class, or cannot learn."""
    shape_ = getattr(model, "output_shape", None)
    if shape_ != (None, classes):
        raise ValueError(f"expected output shape {(None, classes)}, found {shape_}")
    check_answers(model, shape)
    if not model.trainable_variables:
        raise ValueError("expected weights to train, found none; is every layer `trainable: false`?")


def check_answers(model: keras.Model, shape: Shape) -> None:
    """Raise ValueError where a model's answers are no probabilities."""
    answer = np.asarray(model(np.linspace(0, 1, 2 * math.prod(shape), dtype=np.float32).reshape(2, *shape, 1)))
    if not (answer.min() >= 0 and np.allclose(answer.sum(axis=1), 1, atol=1e-3)):
        raise ValueError(f"expected probabilities (softmax), found sums {answer.sum(axis=1)}")


def _argument(key: str, value: Any) -> Any:
    """A layer's argument; `{RandomNormal: {stddev: 0.05}}` for an initializer becomes that object."""
    if key == "name" and not re.fullmatch(r"[A-Za-z0-9][\w.-]*", str(value), re.ASCII):
        raise ValueError(f"name: expected letters, digits, '_', '-' and '.', found {value!r}")
    if key == "rate" and value == 1:
        raise ValueError("rate: expected less than 1, which lets nothing pass, found 1")
    if not isinstance(value, dict):
        return value
    module = {"initializer": keras.initializers, "regularizer": keras.regularizers}.get(key.rpartition("_")[2])
    if module is None or len(value) != 1:
        raise ValueError(f"{key}: expected a number, text or list, found {value}")
    ((kind, arguments),) = value.items()
    if any(isinstance(part, dict) for part in arguments.values()):
        raise ValueError(f"{key}: expected numbers and text, found {arguments}")
    if not isinstance(made := getattr(module, kind, None), type):
        raise ValueError(f"{key}: no class {kind} in {module.__name__}")
    return made(**arguments)
