"""What every export format is given and gives back."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.learning.backend import keras
from mnist.learning.feed import BATCH
from mnist_reader.about import About
from mnist_reader.core.pixels import scale

Images = np.ndarray  # uint8 (n, rows, columns)
Predict = Callable[[Images], np.ndarray]  # → float32 (n, classes)


class Source(NamedTuple):
    """The trained model that is to be exported."""

    model: keras.Model
    file: Path  # that it was loaded from, Keras' HDF5
    calibration: Images  # training images, from which integer formats take their ranges
    about: About  # what travels inside the files


def inputs(images: Images) -> np.ndarray:
    """The model's input, float32 `(n, rows, columns, 1)` in 0–1."""
    return scale(images.astype(np.float32))


def in_batches(run: Predict, images: Images) -> np.ndarray:
    """The answers of `run`, which sees a batch at a time."""
    return np.concatenate([run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])
