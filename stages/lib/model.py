"""A trained model: loading it, asking it."""

from pathlib import Path

import numpy as np

from stages.lib.backend import keras
from stages.lib.errors import PipelineError
from stages.lib.pixels import scale

BATCH = 500  # images; throughput on a CPU is flat from here on


class ModelError(PipelineError):
    """The file holds no model that can be loaded."""


def load_model(path: Path) -> keras.Model:
    """Load a whole Keras model: architecture, weights, compile settings and optimizer state.

    Raises:
        ModelError: not a Keras model.
    """
    try:
        return keras.models.load_model(path)
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(f"{path}: expected a Keras model: {str(error).splitlines()[0]}") from None


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Probabilities, float32 `(n, classes)`, of `uint8` images `(n, 28, 28)`."""
    return model.predict(scale(images.astype(np.float32)), batch_size=BATCH, verbose=0)
