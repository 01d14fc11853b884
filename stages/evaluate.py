"""Evaluate stage: judge the model on the test images, which nothing before it has seen.

Reads:  models/MNIST_keras_CNN.h5, data/csv/test.csv, metrics/history.csv; params `dataset`, `datasets`
Writes: metrics/evaluate.json, metrics/predictions.csv, data/probabilities.npy,
        metrics/plots/{learning_curves,confusion,misclassified}.png
Run:    python -m stages.evaluate
"""

import numpy as np
import pandas as pd

from mnist import figures, scoring
from mnist.data.table import read_csv
from mnist.errors import run_stage
from mnist.files import atomic, write_json
from mnist.learning.backend import settings
from mnist.learning.model import ModelError, load_model, predict
from mnist.params import load_params
from mnist.paths import HISTORY, METRICS, MODEL, PLOTS, PROBABILITIES, TEST_CSV


@settings()
def main() -> None:
    """Write the metrics, the table behind DVC's confusion plot, and the pictures."""
    classes = load_params().chosen_dataset.classes
    model = load_model(MODEL, compile=False)
    images, labels = read_csv(TEST_CSV, len(classes))
    probabilities = predict(model, images)
    check(probabilities, classes)

    with atomic(PROBABILITIES) as scratch:
        np.save(scratch, probabilities)
    metrics = scoring.score(probabilities, labels, classes)
    per_class = [{"name": name} | row for name, row in metrics["classes"].items()]
    write_json(METRICS / "evaluate.json", metrics | {"classes": per_class})  # lists stay out of `dvc metrics diff`
    names = np.array(classes)
    with atomic(METRICS / "predictions.csv") as scratch:
        table = pd.DataFrame({"actual": names[labels], "predicted": names[probabilities.argmax(axis=1)]})
        table.to_csv(scratch, index=False, lineterminator="\n")

    figures.save(figures.learning_curves(pd.read_csv(HISTORY)), PLOTS / "learning_curves.png")
    figures.save(figures.confusion(scoring.confusion(probabilities, labels, classes), classes), PLOTS / "confusion.png")
    figures.save(figures.misclassified(images, labels, probabilities, classes), PLOTS / "misclassified.png")
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    print(
        f"test accuracy {metrics['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}"
    )


def check(probabilities: np.ndarray, classes: list[str]) -> None:
    """Raise ModelError where the answers are not a finite number for each class."""
    if (found := probabilities.shape[-1]) != len(classes):
        raise ModelError(f"{MODEL}: expected {len(classes)} classes, found {found}; run the train stage again")
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{MODEL}: expected probabilities, found some that are not finite; run the train stage again")


if __name__ == "__main__":
    run_stage(main)
