"""Which layers and optimizers of Keras may be used, and one that trains faster and is saved as Keras' own."""

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from mnist.core.errors import nearest
from mnist.learning.backend import keras, tf

# Layers that take code or files.
REFUSED_LAYERS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
REFUSED_LAYERS |= {"StringLookup", "IntegerLookup", "TextVectorization"}  # their vocabulary can be a file
UNUSABLE = {"Input", "Layer", "Wrapper", "Optimizer", "LossScaleOptimizer"}  # a function, base classes, wrappers
UNUSABLE |= {"MultiOptimizer", "OptimizerMap"}  # of several optimizers
UNUSABLE |= {"CutMix", "MixUp"}  # mix images without their labels
# What Keras 3.15 cannot save to HDF5, or not load again.
UNUSABLE |= {"AugMix", "RandAugment", "RandomCrop", "Solarization", "Adafactor", "Lamb"}


def class_of(module: ModuleType, name: str) -> Any:
    """The class `name` of `keras.layers` or `keras.optimizers`; of batch normalization, the faster one below.

    Raises:
        ValueError: no such class, or one that runs code or cannot be used here.
    """
    known = {known for known in dir(module) if known[0].isupper()} - REFUSED_LAYERS - UNUSABLE
    if name not in known:
        raise ValueError(f"expected a class of {module.__name__}, found '{name}'{nearest(name, known)}")
    return BatchNormalization if name == "BatchNormalization" else getattr(module, name)


def unknown_argument(kind: Any, arguments: Iterable[str]) -> str:
    """Which of the arguments a class of Keras does not have, and the one that it has instead; or nothing."""
    known = {name for cls in kind.__mro__ for name in inspect.signature(cls.__init__).parameters}
    unknown = [key for key in arguments if key not in known]
    return f"unknown argument '{unknown[0]}'{nearest(unknown[0], known)}" if unknown else ""


def refuse_foreign_code(config: Any) -> None:
    """Raise ValueError where a configuration names a class outside Keras, or one that carries code or files."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module") or "keras"
        if name in REFUSED_LAYERS or str(module).split(".")[0] != "keras":
            raise ValueError(f"expected a class of Keras without code of its own, found {module}.{name}")
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else []:
        refuse_foreign_code(part)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, but training on images in one operation of TensorFlow instead of Keras 3.15's ten.

    The figures are the same to float32's rounding. What the operation cannot do is left to Keras.
    Source: Ioffe and Szegedy, arXiv 1502.03167; the operation is TensorFlow's FusedBatchNormV3.
    """

    __module__ = "keras.layers"  # what a saved model names, so that it loads without this project

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """The normalized `inputs`; in training, the moving averages follow their moments."""
        if training and mask is None and _fits(self, inputs):
            return _normalize(self, inputs)
        return super().call(inputs, training=training, mask=mask)


def _fits(layer: Any, inputs: tf.Tensor) -> bool:
    """Whether the operation does what this layer asks for."""
    images = inputs.shape.rank == 4 and layer.axis in (-1, 3)
    images = images and inputs.dtype == layer.compute_dtype == layer.variable_dtype == "float32"
    return images and layer.trainable and layer.scale and layer.center and not (layer.synchronized or layer.renorm)


def _normalize(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    """The batch `(n, rows, columns, channels)` normalized by its own moments, which the moving averages follow."""
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=layer.gamma, offset=layer.beta, mean=[], variance=[], epsilon=layer.epsilon, is_training=True
    )
    count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
    variance *= (count - 1) / count  # the operation divides by count - 1 (Bessel), Keras by count
    for average, moment in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average.assign(average * layer.momentum + moment * (1 - layer.momentum))
    return outputs
