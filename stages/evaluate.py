"""Evaluate stage: judge the model on the test images, which nothing before it has seen, and on pictures of no class.

Reads:  models/MNIST_keras_CNN.h5, data/csv/{train,test}.csv, metrics/history.csv; params `seed`, `dataset`,
        `datasets`, `training`, `trainings`
Writes: metrics/evaluate.json, metrics/predictions.csv, data/probabilities.npy,
        metrics/plots/{learning_curves,confusion,misclassified}.png
Run:    python -m stages.evaluate
"""

from typing import Any

import numpy as np
import pandas as pd

from mnist import figures, scoring, sheets
from mnist.core.errors import run_stage
from mnist.core.files import atomic, write_json
from mnist.core.params import load_params
from mnist.core.paths import HISTORY, METRICS, MODEL, PLOTS, PROBABILITIES, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Pair
from mnist.core.table import read_csv
from mnist.learning.backend import keras, settings
from mnist.learning.feed import split
from mnist.learning.fonts import JUDGED
from mnist.learning.model import ModelError, load_model, predict
from mnist.learning.out_of_class import KINDS, Examples, negatives

UNSURE = 0.008  # of the held-out images may be called unsure
HELD_OUT = 0.05  # of the training images, for the threshold of a training that held none out
MADE = 250  # pictures of no class, of each kind


@settings()
def main() -> None:
    """Write the metrics, the table behind DVC's confusion plot, and the pictures."""
    pair = load_params().pair()
    classes = pair.classes
    model = load_model(MODEL, compile=False)
    images, labels = read_csv(TEST_CSV, len(classes), pair.shape)
    check(model, pair)
    probabilities = predict(model, images)
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{MODEL}: expected probabilities, found some that are not finite; run the train stage again")

    with atomic(PROBABILITIES) as scratch:
        np.save(scratch, probabilities)
    metrics = scoring.score(probabilities, labels, classes) | {"unsure": unsure(model, pair, probabilities, labels)}
    per_class = [{"name": name} | row for name, row in metrics["classes"].items()]
    write_json(METRICS / "evaluate.json", metrics | {"classes": per_class})  # lists stay out of `dvc metrics diff`
    names = np.array(classes)
    with atomic(METRICS / "predictions.csv") as scratch:
        table = pd.DataFrame({"actual": names[labels], "predicted": names[probabilities.argmax(axis=1)]})
        table.to_csv(scratch, index=False, lineterminator="\n")

    figures.save(figures.learning_curves(pd.read_csv(HISTORY)), PLOTS / "learning_curves.png")
    figures.save(figures.confusion(scoring.confusion(probabilities, labels, classes), classes), PLOTS / "confusion.png")
    figures.save(sheets.misclassified(images, labels, probabilities, classes), PLOTS / "misclassified.png")
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    print(
        f"test accuracy {metrics['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}"
    )


def unsure(model: keras.Model, pair: Pair, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the model does not know: the threshold, from held-out training images, and what lies below it.

    Returns:
        `threshold`, a probability; the fractions `test_images` that are unsure, and `sure_and_wrong`; and of pictures
        of no class, made for this alone with letters in fonts that no training sees, the fraction that is unsure, by
        kind.
    """
    data = read_csv(TRAIN_CSV, len(pair.classes), pair.shape)
    held_out = split(*data, pair.settings.validation_split or HELD_OUT)[1]
    threshold = scoring.threshold(predict(model, held_out[0]), UNSURE)
    examples = Examples(*held_out, pair.classes, JUDGED)
    made = {kind: predict(model, negatives(MADE, examples, pair.seed + 1, [kind])) for kind in KINDS}
    doubted = scoring.unsure(probabilities, threshold)
    return {
        "threshold": threshold,
        "test_images": float(doubted.mean()),
        "sure_and_wrong": float((~doubted & (probabilities.argmax(axis=1) != labels)).mean()),
        "no_class": {kind: float(scoring.unsure(answers, threshold).mean()) for kind, answers in made.items()},
    }


def check(model: keras.Model, pair: Pair) -> None:
    """Raise ModelError where the model is not of the pair's images and classes."""
    expected, found = (*pair.shape, len(pair.classes)), (*model.input_shape[1:3], model.output_shape[-1])
    if found != expected:
        raise ModelError(
            f"{MODEL}: expected rows, columns and classes {expected}, found {found}; run the train stage again"
        )


if __name__ == "__main__":
    run_stage(main)
