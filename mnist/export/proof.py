"""The proof that an exported file is the model: it predicts what the model predicts."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import UserError
from mnist.export.runtime import Images, Predict
from mnist.learning.backend import keras
from mnist.learning.model import predict
from mnist.learning.serialization import to_json

# Largest difference of a probability. Kernels add up in different orders, and their results differ by 1 to 4 times
# float32's step (1.2e-7) times the largest input of the softmax (nine networks, AVX2): enough for inputs up to 200.
TOLERANCE = 1e-4
INT8_TOLERANCE = 0.001  # largest difference of the accuracy; one image where that is more


class ExportError(UserError):
    """An exported file does not predict what the model predicts."""


def digest(model: keras.Model) -> str:
    """SHA-256 of the architecture and the weights: models of the same digest predict the same."""
    found = hashlib.sha256(to_json(model).encode())
    for values in model.get_weights():
        found.update(values.tobytes())
    return found.hexdigest()


def read_probabilities(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """The model's answers as the evaluate stage wrote them, float32 `(n, classes)`.

    Raises:
        ExportError: no array of that shape.
    """
    try:
        with path.open("rb") as file:
            found = np.lib.format.read_array(file)
    except (ValueError, EOFError):
        raise ExportError(f"{path}: expected an array in NumPy's format; run the evaluate stage again") from None
    if found.shape != shape:
        raise ExportError(
            f"{path}: expected probabilities of shape {shape}, found {found.shape}; run the evaluate stage again"
        )
    return found


def ask(loaded: keras.Model | Predict, images: Images, answers: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities `(n, classes)` of a loaded export to `uint8` images `(n, rows, columns)`.

    Args:
        answers: those of each Keras model so far, by its digest; a model that is not among them is asked and added.
    """
    if not isinstance(loaded, keras.Model):
        return loaded(images)
    key = digest(loaded)
    if key not in answers:
        answers[key] = predict(loaded, images)
    return answers[key]


def compare(found: np.ndarray, expected: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How an export's probabilities `(n, classes)` differ from the model's.

    Returns:
        `accuracy`, `max_probability_difference`, both 0–1, and the number of `changed_predictions`.
    """
    predicted = found.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "max_probability_difference": float(np.abs(found - expected).max()),
        "changed_predictions": int((predicted != expected.argmax(axis=1)).sum()),
    }


def check(path: Path, result: dict[str, Any], expected: np.ndarray, labels: np.ndarray, exact: bool) -> None:
    """Raise ExportError where an export is not the same model (or, not `exact`, not nearly as accurate)."""
    accuracy = (expected.argmax(axis=1) == labels).mean()
    if exact and not result["max_probability_difference"] <= TOLERANCE:  # `not <=` refuses NaN too
        raise ExportError(
            f"{path}: expected probabilities within {TOLERANCE} of the model's, found a difference of "
            f"{result['max_probability_difference']:.2g} and {result['changed_predictions']} changed predictions"
        )
    tolerance = max(INT8_TOLERANCE, 1 / len(labels)) + 1e-9  # rounding
    if not exact and not abs(result["accuracy"] - accuracy) <= tolerance:
        raise ExportError(
            f"{path}: expected an accuracy within {tolerance:.2g} of {accuracy:.4f}, found {result['accuracy']:.4f}"
        )
