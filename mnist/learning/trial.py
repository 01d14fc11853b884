"""Train a recipe and score it on a test table, without the pipeline: for studies and benchmarks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist.core.scoring import Scores, score
from mnist.core.sections import Dataset, Recipe
from mnist.core.table import read_csv
from mnist.learning.backend import keras
from mnist.learning.model import predict
from mnist.learning.training import training_run


@contextmanager
def train_and_score(
    recipe: Recipe, dataset: Dataset, train_csv: Path, test_csv: Path, checkpoints: Path
) -> Iterator[tuple[keras.Model, Scores]]:
    """Train on one table and score on another; write the results within, as with `training_run`.

    Yields:
        The compiled model, and its scores.
    """
    data = read_csv(train_csv, len(dataset.classes), dataset.size)
    with training_run(recipe, dataset, data, checkpoints) as (model, _):
        yield model, score_model(model, dataset, test_csv)


def score_model(model: keras.Model, dataset: Dataset, test_csv: Path) -> Scores:
    """A model's scores on a test table."""
    images, labels = read_csv(test_csv, len(dataset.classes), dataset.size)
    return score(predict(model, images), labels)
