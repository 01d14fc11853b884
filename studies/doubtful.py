"""Which training labels a model doubts that was trained without them: five trainings, each on four fifths.

Reads:  data/csv/train.csv, recipes/brisk.yaml
Writes: studies/results/doubtful.csv, the label that is least likely first, and studies/results/doubtful.png
Run:    python -m studies.doubtful
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mnist.core.errors import run
from mnist.core.files import write_table
from mnist.core.params import load_dataset
from mnist.core.paths import TRAIN_CSV
from mnist.core.scoring import is_right
from mnist.core.sections import Dataset, Recipe
from mnist.core.table import read_csv
from mnist.data.figures import misclassified, save
from mnist.learning.backend import keras_session
from mnist.learning.feed import Data
from mnist.learning.model import predict
from mnist.learning.training import training_run
from studies.paths import RESULTS, STUDIES
from studies.trial import recipe_named

FOLDS = 5


class Doubt(NamedTuple):
    """A label that is not the most likely one."""

    row: int  # of data/csv/train.csv, from 0
    label: int
    predicted: int
    label_probability: float  # 0–1
    predicted_probability: float


@keras_session()
def main() -> None:
    """Train, ask, and write the table and the picture."""
    recipe, dataset = recipe_named("brisk"), load_dataset("mnist")
    images, labels = read_csv(TRAIN_CSV)
    probabilities = np.empty((len(images), len(dataset.classes)), np.float32)
    for fold in range(FOLDS):
        probabilities[fold::FOLDS] = answers_without(fold, recipe, dataset, (images, labels))
    doubts = sorted(doubtful(probabilities, labels), key=lambda doubt: doubt.label_probability)
    write_table(RESULTS / "doubtful.csv", doubts, Doubt._fields)
    save(misclassified(images, labels, probabilities, dataset.classes, most=100), RESULTS / "doubtful.png")
    print(f"{len(doubts)} of {len(labels)} labels are not the most likely one")


def answers_without(fold: int, recipe: Recipe, dataset: Dataset, data: Data) -> np.ndarray:
    """Probabilities `(n, classes)` for every fifth image, from a training on all others."""
    images, labels = data
    others = np.arange(len(images)) % FOLDS != fold
    rest = images[others], labels[others]
    with training_run(recipe, dataset, rest, STUDIES / f"doubtful-{fold}") as (model, _):
        return predict(model, images[~others])


def doubtful(probabilities: np.ndarray, labels: np.ndarray) -> Iterator[Doubt]:
    """The labels that are not the most likely one."""
    for row in np.flatnonzero(~is_right(probabilities, labels)):
        label, predicted = int(labels[row]), int(probabilities[row].argmax())
        yield Doubt(int(row), label, predicted, float(probabilities[row, label]), float(probabilities[row, predicted]))


if __name__ == "__main__":
    run(main)
