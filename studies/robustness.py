"""Ask a model about the test images under the corruptions of MNIST-C.

Asked of `exported`, the pipeline's model, it also counts doubts and reads digits of other writers; any other name is a
recipe, which is trained from seed 0 and asked.

Reads:  data/csv/; models/export/MNIST_keras_CNN.onnx, or recipes/NAME.yaml
Writes: studies/results/robustness/NAME.json; of the exported model, studies/results/robustness.png as well
Run:    python -m studies.robustness exported; `cd studies && dvc repro robustness` runs it
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mnist.core.errors import run
from mnist.core.files import write_json
from mnist.core.paths import ONNX, TEST_CSV
from mnist.core.scoring import accuracy, calibration_error, doubts, is_right
from mnist.core.table import read_csv
from mnist.data.figures import INK, MISTAKE, plain, save
from mnist.learning.backend import keras_session
from mnist.learning.model import predict
from mnist_reader.core.pixels import SHAPE
from mnist_reader.reader import Reader
from studies.corruptions import CORRUPTIONS, corrupted
from studies.other_writers import HELD_OUT, digits, render
from studies.paths import RESULTS
from studies.trial import parse, recipe_named, trial

SIZES = (32, 64, 160, 320)  # pixels a side of a picture of one digit
Ask = Callable[[np.ndarray], np.ndarray]  # uint8 images (n, rows, columns) → probabilities (n, classes)


class Answers(NamedTuple):
    """The images under one corruption, and what a model makes of them."""

    kind: str
    images: np.ndarray  # uint8 (n, rows, columns)
    probabilities: np.ndarray  # (n, classes)


@keras_session()
def main() -> None:
    """Ask the exported model or that of a recipe."""
    name = parse("studies.robustness", "Ask a model about corrupted images.", "name").name
    result = of_exported() if name == "exported" else of_recipe(name)
    write_json(RESULTS / f"robustness/{name}.json", result)
    print(f"{name}: {result['corrupted_accuracy']:.2%} right on average, {result['accuracy']:.2%} without corruption")


def of_recipe(name: str) -> dict[str, Any]:
    """The figures of a recipe's model."""
    images, labels = read_csv(TEST_CSV)
    with trial(recipe_named(name), "robustness") as (model, scores):
        rows = [score(answers, labels) for answers in under_each(partial(predict, model), images, seed=0)]
        return {"accuracy": scores.accuracy} | summary(rows)


def of_exported() -> dict[str, Any]:
    """The figures of the exported model, with its doubts, and a picture of one image under each corruption."""
    reader = Reader(ONNX)
    images, labels = read_csv(TEST_CSV, len(reader.about.classes), reader.classifier.shape)
    plain = reader.classifier(images)
    shown, rows = [Answers("as it is", images[:1], plain[:1])], []
    for answers in under_each(reader.classifier, images, seed=0):
        row = score(answers, labels) | doubts(answers.probabilities, labels, reader.about.threshold)._asdict()
        print(f"{answers.kind}: {row['accuracy']:.2%} right, {row['unsure']:.2%} unsure", flush=True)
        shown.append(Answers(answers.kind, answers.images[:1].copy(), answers.probabilities[:1]))
        rows.append(row)
    save(sheet(shown, labels[0], reader.about.classes), RESULTS / "robustness.png")
    pictures = [read(reader, *each) for each in pictures_of_digits(images, labels)]
    return {"accuracy": accuracy(plain, labels)} | summary(rows) | {"pictures": pictures}


def under_each(ask: Ask, images: np.ndarray, seed: int) -> Iterator[Answers]:
    """Ask a model about the `uint8` images `(n, rows, columns)` under one corruption after another."""

    def answers(kind: str) -> Answers:
        changed = corrupted(kind, images, seed)
        return Answers(kind, changed, ask(changed))

    with ThreadPoolExecutor(2) as pool:  # most of the work is done without Python's lock
        yield from pool.map(answers, CORRUPTIONS)


def score(answers: Answers, labels: np.ndarray) -> dict[str, Any]:
    """A row of the table: `corruption`, `accuracy` and `calibration_error`, fractions 0–1."""
    probabilities = answers.probabilities
    error = calibration_error(probabilities, is_right(probabilities, labels))
    return {"corruption": answers.kind, "accuracy": accuracy(probabilities, labels), "calibration_error": error}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The means of the rows' figures over all corruptions, each `corrupted_…`, and the rows."""
    names = [name for name in rows[0] if name != "corruption"]
    return {f"corrupted_{name}": fmean(row[name] for row in rows) for name in names} | {"corruptions": rows}


def pictures_of_digits(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, list[Image.Image], np.ndarray]]:
    """(name, pictures, labels): digits of other writers in several sizes, and the test images as ink on paper."""
    small, theirs = digits(HELD_OUT)
    for size in SIZES:
        yield f"digits_{size}", [render(image, size) for image in small], theirs
    yield "test_images", [Image.fromarray(255 - image) for image in images], labels


def read(reader: Reader, name: str, pictures: list[Image.Image], labels: np.ndarray) -> dict[str, Any]:
    """How many pictures are right, merely resized and inverted and as read; and how many readings are unsure."""
    resized = np.stack([255 - np.asarray(picture.resize(SHAPE[::-1])) for picture in pictures])
    readings, names = list(reader.read_many(pictures)), reader.about.classes
    right = [reading.text == names[label] for reading, label in zip(readings, labels, strict=True)]
    figures = {
        "pictures": name,
        "num_images": len(labels),
        "resized": accuracy(reader.classifier(resized), labels),
        "read": float(np.mean(right)),
        "unsure": float(np.mean([reading.unsure for reading in readings])),
    }
    print(f"{name}: {figures['read']:.2%} read right, {figures['unsure']:.2%} unsure", flush=True)
    return figures


@plain
def sheet(shown: list[Answers], label: int, classes: tuple[str, ...]) -> Figure:
    """The first of the images as it is and under each corruption, with the model's answer below."""
    figure = Figure(figsize=(7.2, 8.8), dpi=110, layout="constrained")
    for place, (kind, images, probabilities) in zip(figure.subplots(4, 4).ravel(), shown, strict=True):
        best = probabilities[0].argmax()
        place.imshow(255 - images[0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        place.set_title(kind.replace("_", " "), fontsize=9, color=INK)
        said = f"{classes[best]}  {probabilities[0, best]:.0%}"
        place.set_xlabel(said, fontsize=9, color=INK if best == label else MISTAKE)
        place.set(xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    run(main)
