"""Start from the weights of an earlier model, or take the whole of a model that was made elsewhere."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import InitialWeights
from mnist.learning.architecture import check_answers
from mnist.learning.backend import keras
from mnist.learning.model import load_model
from mnist_reader.core.pixels import Shape


class InitialWeightsError(UserError):
    """The earlier model cannot be started from."""


def start_from(initial: InitialWeights, model: keras.Model) -> None:
    """Give each layer of `model` the weights of the layer at its place in an earlier model, where these two fit.

    Layers without weights do not count, so a dropout more or less is no hindrance. What is taken and what is not is
    printed.

    Raises:
        InitialWeightsError: no such file, another SHA-256, weights that are not finite, or no layer that fits.
        ModelError: no Keras model.
    """
    path = Path(initial.file)
    given = _load(initial)
    earlier, own = ([layer for layer in each.layers if layer.weights] for each in (given, model))
    taken, fresh = [], [layer.name for layer in own[len(earlier) :]]
    for layer, source in zip(own, earlier, strict=False):
        if _form(layer) == _form(source):
            layer.set_weights(source.get_weights())
            taken.append(layer.name)
        else:
            fresh.append(layer.name)
    if not taken:
        raise InitialWeightsError(f"{path}: expected a model with a layer like one of {model.name}'s, found none")
    print(f"{path}: weights taken for {', '.join(taken)}; fresh: {', '.join(fresh) or 'none'}", flush=True)


def given_model(initial: InitialWeights, name: str, classes: int, shape: Shape) -> keras.Model:
    """An earlier model whole, as the pipeline uses models: float32 `(n, *shape, 1)` → probabilities `(n, classes)`.

    Images may reach it in another form, such as a row of pixels; answers that are no probabilities yet become some.

    Raises:
        InitialWeightsError: no such file, another SHA-256, or a model of other images or classes.
        ModelError: no Keras model.
    """
    model = _load(initial)
    takes: Any = getattr(model, "input_shape", None)
    gives = getattr(model, "output_shape", None)
    if not _holds(takes, shape) or gives != (None, classes):
        expected = f"(None, {shape[0]}, {shape[1]}, 1) → (None, {classes})"
        raise InitialWeightsError(f"{initial.file}: expected a model {expected}, found {takes} → {gives}")
    layers = [keras.Input((*shape, 1)), *(model.layers if isinstance(model, keras.Sequential) else [model])]
    if takes != (None, *shape, 1):
        layers.insert(1, keras.layers.Reshape(takes[1:]))
    if getattr(model.layers[-1], "activation", None) is keras.activations.linear:
        layers.append(keras.layers.Softmax())
    made = keras.Sequential(layers, name=name)
    try:
        check_answers(made, shape)
    except ValueError as error:
        raise InitialWeightsError(f"{initial.file}: {error}") from None
    return made


def _holds(takes: Any, shape: Shape) -> bool:
    """Whether a model takes one image of this shape, in any arrangement of its pixels."""
    return isinstance(takes, tuple) and None not in takes[1:] and math.prod(takes[1:]) == math.prod(shape)


def _load(initial: InitialWeights) -> keras.Model:
    """The earlier model, whose file has the expected bytes."""
    path = Path(initial.file)
    if not path.is_file():
        raise InitialWeightsError(f"{path}: expected a model to start from, found no such file")
    if (digest := sha256(path)) != initial.sha256:
        raise InitialWeightsError(
            f"params.yaml: train.initial_weights.sha256: expected that of {path}, {digest}, found {initial.sha256}"
        )
    given = load_model(path, compile=False)
    if broken := [layer.name for layer in given.layers if not all(np.isfinite(w).all() for w in layer.get_weights())]:
        raise InitialWeightsError(f"{path}: expected finite weights, found others in {', '.join(broken)}")
    return given


def _form(layer: keras.Layer) -> tuple[str, list[tuple[int, ...]]]:
    """What two layers must share to share their weights."""
    return type(layer).__name__, [tuple(weight.shape) for weight in layer.weights]
