"""Fine-tuning: start from the weights of an earlier model."""

from pathlib import Path

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import InitialWeights
from mnist.learning.backend import keras
from mnist.learning.model import load_model


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
    if not path.is_file():
        raise InitialWeightsError(f"{path}: expected a model to start from, found no such file")
    if (digest := sha256(path)) != initial.sha256:
        raise InitialWeightsError(
            f"params.yaml: train.initial_weights.sha256: expected that of {path}, {digest}, found {initial.sha256}"
        )
    given = load_model(path, compile=False)
    if broken := [layer.name for layer in given.layers if not all(np.isfinite(w).all() for w in layer.get_weights())]:
        raise InitialWeightsError(f"{path}: expected finite weights, found others in {', '.join(broken)}")
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


def _form(layer: keras.Layer) -> tuple[str, list[tuple[int, ...]]]:
    """What two layers must share to share their weights."""
    return type(layer).__name__, [tuple(weight.shape) for weight in layer.weights]
