"""Export formats, one row each: how to write it, how to load it back and predict."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.lib import architecture
from stages.lib.backend import keras
from stages.lib.model import predict

NAME = "MNIST_keras_CNN"
WEIGHTS = f"{NAME}.weights.h5"

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 (n, 28, 28) → float32 (n, classes)


class Format(NamedTuple):
    """One way to write a trained model, and to use what was written."""

    file: str  # name in the export folder
    write: Callable[[keras.Model, Path], object]
    load: Callable[[Path, keras.Model], Predict]  # (the written file, the model it came from)


def _write_text(to_text: Callable[[keras.Model], str]) -> Callable[[keras.Model, Path], object]:
    return lambda model, path: path.write_text(to_text(model), encoding="utf-8")


def _load_text(from_text: Callable[[str], keras.Model]) -> Callable[[Path, keras.Model], Predict]:
    """An architecture alone cannot predict: the exported weights go with it."""

    def load(path: Path, model: keras.Model) -> Predict:
        copy = from_text(path.read_text(encoding="utf-8"))
        copy.load_weights(path.with_name(WEIGHTS))
        return lambda images: predict(copy, images)

    return load


def _write_weights(model: keras.Model, path: Path) -> None:
    """Without the optimizer state, which an uncompiled model would complain of on loading."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.save_weights(path)


def _load_weights(path: Path, model: keras.Model) -> Predict:
    copy = keras.models.clone_model(model)
    copy.load_weights(path)
    return lambda images: predict(copy, images)


FORMATS = {
    "weights": Format(WEIGHTS, _write_weights, _load_weights),
    "yaml": Format(f"{NAME}.yaml", _write_text(architecture.to_yaml), _load_text(architecture.from_yaml)),
    "json": Format(f"{NAME}.json", _write_text(architecture.to_json), _load_text(architecture.from_json)),
}
