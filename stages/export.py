"""Export stage: write the model in every format and prove that each is the same model.

Reads:  models/MNIST_keras_CNN.h5, data/csv/test.csv
Writes: models/export/, metrics/export.json
Run:    python -m stages.export
"""

from pathlib import Path

import numpy as np

from stages.lib.errors import PipelineError, run
from stages.lib.files import atomic, write_json
from stages.lib.formats import FORMATS
from stages.lib.model import load_model, predict
from stages.lib.table import read_csv

TOLERANCE = 1e-5  # largest difference of a probability; float32 rounds at 6e-8


class ExportError(PipelineError):
    """An exported file does not predict what the model predicts."""


def main() -> None:
    """Write every format beside the old export, compare each on the test images, then take its place."""
    model = load_model(Path("models/MNIST_keras_CNN.h5"))
    images, labels = read_csv(Path("data/csv/test.csv"))
    expected = predict(model, images)
    report = {}
    with atomic(Path("models/export")) as folder:
        folder.mkdir()
        for name, form in FORMATS.items():
            form.write(model, folder / form.file)
            found = form.load(folder / form.file, model)(images)
            report[name] = compare(found, expected, labels) | {"bytes": (folder / form.file).stat().st_size}
            check(form.file, report[name])
            print(f"models/export/{form.file}: agrees with the model on {len(images):,} images")
    write_json(Path("metrics/export.json"), report)


def compare(found: np.ndarray, expected: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How an export's probabilities `(n, classes)` differ from the model's."""
    predicted = found.argmax(axis=1)
    return {
        "accuracy": float((predicted == labels).mean()),
        "max_probability_difference": float(np.abs(found - expected).max()),
        "changed_predictions": int((predicted != expected.argmax(axis=1)).sum()),
    }


def check(file: str, result: dict[str, float]) -> None:
    """Raise ExportError where an export is not the same model."""
    if result["max_probability_difference"] > TOLERANCE or result["changed_predictions"]:
        raise ExportError(
            f"models/export/{file}: expected probabilities within {TOLERANCE} and no changed prediction, "
            f"found {result['max_probability_difference']:.2g} and {result['changed_predictions']}"
        )


if __name__ == "__main__":
    run(main)
