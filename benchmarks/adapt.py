"""What an earlier model is worth: a few pictures of one's own, trained on from the pipeline's model and afresh.

The pictures are scikit-learn's digits, prepared as the reader does. The first ones of each class are trained on, and
all others are read. Means of two seeds.

Reads:  models/MNIST_keras_CNN.h5, recipes/{small_data,adapt}.yaml, datasets/mnist.yaml
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
from mnist.core.files import sha256
from mnist.core.params import load_dataset
from mnist.core.paths import MODEL
from mnist.core.scoring import accuracy
from mnist.core.sections import InitialWeights, Recipe
from mnist.learning.backend import keras_session
from mnist.learning.feed import Data
from mnist.learning.model import predict
from mnist.learning.training import training_run
from mnist_reader.preparation import digit_image
from studies.other_writers import digits, render
from studies.trial import recipe_named

COUNTS = (10, 50, 100)  # pictures of each class
SEEDS = (0, 1)


@keras_session()
def main() -> None:
    """Train each way with each number of pictures."""
    images, labels = digits(np.s_[:])
    data = np.stack([digit_image(render(image, 64)) for image in images]), labels.astype(np.uint8)
    rows = []
    for count in COUNTS:
        trained = among_the_first(data[1], count)
        for name in ("small_data", "adapt"):
            found = [accuracy_of_others(recipe(name, seed), data, trained) for seed in SEEDS]
            row = {"pictures_of_each": count, "training": name, "read": int((~trained).sum())}
            rows.append(row | {"accuracy": statistics.mean(found), "worst": min(found)})
    report("adapt", rows)


def among_the_first(labels: np.ndarray, count: int) -> np.ndarray:
    """Boolean `(n,)`: which are among the first `count` of their class."""
    return np.array([(labels[:place] == label).sum() < count for place, label in enumerate(labels)])


def recipe(name: str, seed: int) -> Recipe:
    """One of the two recipes; `adapt` starts from the pipeline's model."""
    found, weights = recipe_named(name, seed), InitialWeights(file=str(MODEL), sha256=sha256(MODEL))
    training = found.train.model_copy(update={"initial_weights": weights if name == "adapt" else None})
    return found.model_copy(update={"train": training})


def accuracy_of_others(recipe: Recipe, data: Data, trained: np.ndarray) -> float:
    """Accuracy, 0–1, on the pictures that are not trained on, after training on those that `trained` says."""
    images, labels = data
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),  # a line for each epoch
        training_run(recipe, load_dataset("mnist"), (images[trained], labels[trained]), Path(folder)) as (model, _),
    ):
        return accuracy(predict(model, images[~trained]), labels[~trained])


if __name__ == "__main__":
    run(main)
