"""Export stage: write the model in every chosen format and prove that each is the same model.

Reads:  models/MNIST_keras_CNN.h5, data/csv/{train,test}.csv, data/probabilities.npy, metrics/{train,evaluate}.json;
        params `export` and, for the card, `seed`, `dataset`, `datasets`, `architectures`, `trainings`
Writes: models/export/ (every format, a model card, SHA256SUMS), metrics/export.json
Run:    python -m stages.export
"""

from pathlib import Path
from typing import Any

import numpy as np

from mnist.data.table import read_csv, read_sample
from mnist.errors import PipelineError, run
from mnist.export.card import card, checksums
from mnist.export.formats import FORMATS, NAME, Predict, digest
from mnist.files import atomic, read_json, write_json
from mnist.learning.backend import keras, quiet
from mnist.learning.model import load_model, predict
from mnist.params import Params, load_params

FOLDER = Path("models/export")
CALIBRATION = 100  # training images, evenly spaced, from which int8 takes its ranges
# Largest difference of a probability. Kernels add up in different orders, and their results differ by 1 to 4 times
# float32's step (1.2e-7) times the largest input of the softmax (nine networks, AVX2): enough for inputs up to 200.
TOLERANCE = 1e-4
INT8_TOLERANCE = 0.001  # largest difference of the accuracy; one image where that is more


class ExportError(PipelineError):
    """An exported file does not predict what the model predicts."""


def main() -> None:
    """Write every format beside the old export and compare each on the test images; then let it take its place."""
    params = load_params()
    classes = len(params.chosen_dataset.classes)
    model = load_model(Path("models/MNIST_keras_CNN.h5"))
    x_test, y_test = read_csv(Path("data/csv/test.csv"), classes)
    calibration, _ = read_sample(Path("data/csv/train.csv"), CALIBRATION)
    expected = read_probabilities(Path("data/probabilities.npy"), (len(x_test), classes))
    report: dict[str, dict[str, Any]] = {}
    answers = {digest(model): expected}
    with atomic(FOLDER) as folder:
        folder.mkdir()
        for name in map(str, params.export.formats):
            form, path = FORMATS[name], folder / (NAME + FORMATS[name].suffix)
            with quiet():
                form.write(model, path, calibration)
                found = ask(form.load(path, model), x_test, answers)
            result = compare(found, expected, y_test)
            check(FOLDER / path.name, result, expected, y_test, form.exact)
            report[name] = {"file": path.name, "bytes": size(path)} | result
            print(
                f"{FOLDER / path.name}: {result['accuracy']:.2%}, {result['changed_predictions']} changed predictions"
            )
        usage = [FORMATS[name].usage.format(file=report[name]["file"]) for name in report]
        text = card(read_json(Path("metrics/evaluate.json")), origin(params), report, usage)
        (folder / "README.md").write_text(text, encoding="utf-8")
        (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
    write_json(Path("metrics/export.json"), report)


def read_probabilities(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """The model's answers as the evaluate stage wrote them, `(n, classes)`."""
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


def ask(loaded: keras.Model | Predict, images: np.ndarray, answers: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities `(n, classes)` of a loaded export; Keras models equal bit for bit share their answers."""
    if not isinstance(loaded, keras.Model):
        return loaded(images)
    key = digest(loaded)
    if key not in answers:
        answers[key] = predict(loaded, images)
    return answers[key]


def origin(params: Params) -> dict[str, Any]:
    """What the model was made from, for its card."""
    trained = read_json(Path("metrics/train.json"))
    return {
        "dataset": params.dataset,
        "num_training": trained["num_images"],
        "num_validation": trained["num_validation_images"],
        "parameters": trained["parameters"],
        "architecture": params.architecture,
        "training": params.training,
        "seed": params.seed,
        "layers": params.layers,
        "training_settings": params.chosen_training.model_dump(),
        "sha256": params.chosen_dataset.sha256.model_dump(by_alias=True),
    }


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())


def compare(found: np.ndarray, expected: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How an export's probabilities `(n, classes)` differ from the model's."""
    predicted = found.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "max_probability_difference": float(np.abs(found - expected).max()),
        "changed_predictions": int((predicted != expected.argmax(axis=1)).sum()),
    }


def check(path: Path, result: dict[str, Any], expected: np.ndarray, labels: np.ndarray, exact: bool) -> None:
    """Raise ExportError where an export is not the same model (or, not `exact`, not nearly as accurate)."""
    accuracy = (expected.argmax(axis=1) == labels).mean()
    if exact and not result["max_probability_difference"] <= TOLERANCE:  # so that none changes but between equals
        raise ExportError(
            f"{path}: expected probabilities within {TOLERANCE} of the model's, found a difference of "
            f"{result['max_probability_difference']:.2g} and {result['changed_predictions']} changed predictions"
        )
    tolerance = max(INT8_TOLERANCE, 1 / len(labels)) + 1e-9  # rounding
    if not exact and not abs(result["accuracy"] - accuracy) <= tolerance:
        raise ExportError(
            f"{path}: expected an accuracy within {tolerance:.2g} of {accuracy:.4f}, found {result['accuracy']:.4f}"
        )


if __name__ == "__main__":
    run(main)
