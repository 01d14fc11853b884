"""The proof that an exported file is the model: it predicts what the model predicts."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import size
from mnist.core.paths import EXPORT
from mnist.core.scoring import accuracy
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
    digest = hashlib.sha256(to_json(model).encode())
    for values in model.get_weights():
        digest.update(values.tobytes())
    return digest.hexdigest()


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


class Proof(NamedTuple):
    """How an export's answers to the test images differ from the model's: a row of metrics/export.csv."""

    format: str
    file: str
    bytes: int
    accuracy: float  # 0–1
    max_probability_difference: float  # 0–1
    changed_predictions: int


def prove(
    name: str, path: Path, found: np.ndarray, expected: np.ndarray, labels: np.ndarray, exact: bool = True
) -> Proof:
    """Compare an export's probabilities `(n, classes)` to images with these labels with the model's.

    Raises:
        ExportError: it is not the same model (or, not `exact`, not nearly as accurate).
    """
    difference = float(np.abs(found - expected).max())
    changed = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    proof = Proof(name, path.name, size(path), accuracy(found, labels), difference, changed)
    if exact and not difference <= TOLERANCE:  # `not <=` refuses NaN too
        raise ExportError(
            f"{EXPORT / path.name}: expected probabilities within {TOLERANCE} of the model's, found a difference of "
            f"{difference:.2g} and {changed} changed predictions"
        )
    tolerance = max(INT8_TOLERANCE, 1 / len(labels)) + 1e-9  # rounding
    if not exact and not abs(proof.accuracy - (best := accuracy(expected, labels))) <= tolerance:
        raise ExportError(
            f"{EXPORT / path.name}: expected an accuracy within {tolerance:.2g} of {best:.4f}, found "
            f"{proof.accuracy:.4f}"
        )
    return proof
