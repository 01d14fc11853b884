"""Evaluate stage: score the model on the test images, which nothing before it has seen, and on pictures of no class.

Reads:  models/MNIST_keras_CNN.h5, data/csv/, datasets/; params `seed`, `dataset`, `train`
Writes: metrics/evaluate.json, metrics/{classes,out_of_class,predictions}.csv, data/probabilities.npz,
        metrics/plots/{confusion,misclassified}.png
Run:    python -m stages.evaluate
"""

if not __package__:
    raise SystemExit("error: expected `python -m stages.evaluate` in the project's folder, found a file that was run")

import numpy as np

from mnist.core import scoring
from mnist.core.errors import run_stage
from mnist.core.evaluation import Evaluation
from mnist.core.files import write_json, write_table
from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import METRICS, MODEL, PLOTS, PROBABILITIES, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Dataset, Recipe
from mnist.core.table import read_csv
from mnist.data import figures
from mnist.learning.backend import keras, keras_session
from mnist.learning.feed import split
from mnist.learning.fonts import HELD_OUT as HELD_OUT_FONTS
from mnist.learning.model import ModelError, load_model, predict
from mnist.learning.out_of_class import KINDS, Examples, out_of_class
from stages import inputs_of

HELD_OUT = 0.05  # of the training images, for the threshold of a training that held none out
SLACK = 0.01  # by which an answer's probabilities may miss 1 in all
MADE = 250  # pictures of no class, of each kind


@keras_session()
def main() -> None:
    """Write the metrics, the tables behind DVC's plots, the model's answers, and the pictures."""
    inputs = inputs_of("evaluate")
    recipe = load_recipe()
    dataset = load_dataset(recipe.dataset)
    model = load_model(MODEL, compile=False)
    check(model, dataset)
    images, labels = read_csv(TEST_CSV, len(dataset.classes), dataset.size)
    evaluation = ask(model, recipe, dataset, images)
    inputs.check()
    evaluation.write(PROBABILITIES)
    scores = evaluation.scores(labels)
    write_json(METRICS / "evaluate.json", scores._asdict() | evaluation.doubts(labels)._asdict())
    write_tables(evaluation, labels, dataset.classes)
    matrix = scoring.confusion(evaluation.test, labels, dataset.classes)
    figures.save(figures.confusion(matrix, dataset.classes), PLOTS / "confusion.png")
    misclassified = figures.misclassified(images, labels, evaluation.test, dataset.classes)
    figures.save(misclassified, PLOTS / "misclassified.png")
    interval = f"95 % interval {scores.accuracy_low:.2%} to {scores.accuracy_high:.2%}"
    print(f"test accuracy {scores.accuracy:.2%} ({interval}), loss {scores.loss:.4f}")


def ask(model: keras.Model, recipe: Recipe, dataset: Dataset, images: np.ndarray) -> Evaluation:
    """The model's answers to the test images, to held-out training images, and to pictures of no class.

    The latter are made for this alone, with letters in fonts that no training sees.

    Raises:
        ModelError: an answer is no probability for each class.
    """
    data = read_csv(TRAIN_CSV, len(dataset.classes), dataset.size)
    held_out = split(*data, recipe.train.validation_split or HELD_OUT)[1]
    examples = Examples(*held_out, dataset.classes, HELD_OUT_FONTS)
    made = {kind: predict(model, out_of_class(MADE, examples, recipe.seed + 1, [kind])) for kind in KINDS}
    evaluation = Evaluation(predict(model, images), predict(model, held_out[0]), made)
    sums = evaluation.test.sum(axis=1)
    if not np.abs(sums - 1).max() < SLACK:  # NaN is not
        raise ModelError(f"{MODEL}: expected probabilities, found sums such as {sums[0]}; run the train stage again")
    return evaluation


def write_tables(evaluation: Evaluation, labels: np.ndarray, classes: list[str]) -> None:
    """The scores of each class, the doubts about each kind of pictures of no class, and each prediction."""
    rows = scoring.score_classes(evaluation.test, labels, classes)
    write_table(METRICS / "classes.csv", rows, scoring.ClassScores._fields)
    kinds = [{"kind": kind, "unsure": share} for kind, share in evaluation.unsure_of_no_class().items()]
    write_table(METRICS / "out_of_class.csv", kinds, ["kind", "unsure"])
    pairs = zip(labels.tolist(), evaluation.test.argmax(axis=1).tolist(), strict=True)
    predictions = [{"actual": classes[label], "predicted": classes[answer]} for label, answer in pairs]
    write_table(METRICS / "predictions.csv", predictions, ["actual", "predicted"])


def check(model: keras.Model, dataset: Dataset) -> None:
    """Raise ModelError where the model is not of the data set's images and classes."""
    expected = (None, *dataset.size, 1), (None, len(dataset.classes))
    found = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if found != expected:
        shapes = f"expected {expected[0]} → {expected[1]}, found {found[0]} → {found[1]}"
        raise ModelError(f"{MODEL}: {shapes}; run the train stage again")


if __name__ == "__main__":
    run_stage(main)
