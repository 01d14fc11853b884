"""What an earlier model is worth: a few pictures of one's own, trained on from MNIST's model and afresh.

The pictures are scikit-learn's digits, prepared as the reader does; the first ones of each class are trained on and all
others are read. Means of two seeds. `adapt` and `few` are the trainings of params.yaml.

Reads:  models/initial/MNIST_keras_CNN.h5, params.yaml
Writes: benchmarks/adapt.json
Run:    python -m benchmarks.adapt
"""

import contextlib
import io
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.params import load_params
from mnist.learning.backend import settings
from mnist.learning.ensemble import trained
from mnist.learning.feed import Data
from mnist.learning.model import predict
from mnist_reader.preparation import digit_image
from studies.other_writers import digits, render

COUNTS = (10, 50, 100)  # pictures of each class
SEEDS = (0, 1)
TRAININGS = ("few", "adapt")


@settings()
def main() -> None:
    """Train each way with each number of pictures."""
    images, labels = digits(np.s_[:])
    data = np.stack([digit_image(render(image, 64)) for image in images]), labels.astype(np.uint8)
    rows = []
    for count in COUNTS:
        learnt = among_the_first(data[1], count)
        for training in TRAININGS:
            right = [accuracy(training, seed, data, learnt) for seed in SEEDS]
            row = {"pictures_of_each": count, "training": training, "read": int((~learnt).sum())}
            rows.append(row | {"accuracy": statistics.mean(right), "worst": min(right)})
    report("adapt", rows)


def among_the_first(labels: np.ndarray, count: int) -> np.ndarray:
    """Boolean `(n,)`: which are among the first `count` of their class."""
    learnt = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        learnt[np.flatnonzero(labels == label)[:count]] = True
    return learnt


def accuracy(training: str, seed: int, data: Data, learnt: np.ndarray) -> float:
    """Accuracy, 0–1, of the default network on the pictures that it has not learnt."""
    pair = load_params().pair(training=training)._replace(seed=seed, classes=[str(digit) for digit in range(10)])
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),  # a line for each epoch
        trained(pair, (data[0][learnt], data[1][learnt]), Path(folder)) as (model, _),
    ):
        answers = predict(model, data[0][~learnt])
    return float((answers.argmax(axis=1) == data[1][~learnt]).mean())


if __name__ == "__main__":
    run(main)
