"""Batch normalization made part of the layer before it, for formats that only predict."""

import numpy as np

from mnist.learning.backend import keras


def folded(model: keras.Model) -> keras.Model:
    """The same predictions with each BatchNormalization that follows a Conv2D or Dense made part of that layer.

    Source: Jacob et al., arXiv 1712.05877, section 3.2. Other models than a Sequential come back unchanged.
    """
    if not isinstance(model, keras.Sequential):
        return model
    parts: list[tuple[keras.layers.Layer, list[np.ndarray]]] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and parts and _absorbs(*parts[-1], layer):
            before, (kernel, *bias) = parts.pop()  # one bias or none
            gamma = layer.gamma.numpy() if layer.scale else 1
            beta = layer.beta.numpy() if layer.center else 0
            factor = gamma / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
            weights = [kernel * factor, (sum(bias) - layer.moving_mean.numpy()) * factor + beta]
            parts.append((type(before).from_config(before.get_config() | {"use_bias": True}), weights))
        else:
            parts.append((type(layer).from_config(layer.get_config()), layer.get_weights()))
    copy = keras.Sequential([keras.Input(model.input_shape[1:]), *(layer for layer, _ in parts)])
    for layer, weights in parts:
        layer.set_weights(weights)
    return copy


def _absorbs(
    layer: keras.layers.Layer, weights: list[np.ndarray], normalization: keras.layers.BatchNormalization
) -> bool:
    """Whether the layer gives its kernel's and bias' linear result, and the channels last that are normalized."""
    return (
        type(layer) in (keras.layers.Conv2D, keras.layers.Dense)
        and layer.activation is keras.activations.linear
        and len(weights) == 1 + layer.use_bias  # no further ones, as LoRA adds
        and layer.dtype_policy.name == normalization.dtype_policy.name == "float32"  # neither mixed nor quantized
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and normalization.axis in (-1, normalization.input_spec.ndim - 1)
    )
