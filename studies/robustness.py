"""Robustness stage: ask the exported model about corrupted test images, and have it read digits of other writers.

Reads:  models/export/MNIST_keras_CNN.onnx, data/csv/test.csv; params `seed`, `dataset`, `datasets`
Writes: metrics/robustness.json, metrics/plots/robustness.png
Run:    python -m stages.robustness, after `pip install --require-hashes -r requirements-robustness.txt`
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from mnist import figures, robustness, sheets
from mnist.core.errors import run_stage
from mnist.core.files import write_json
from mnist.core.params import load_params
from mnist.core.paths import METRICS, ONNX, PLOTS, TEST_CSV
from mnist.core.table import read_csv
from mnist_reader.core.pixels import SHAPE
from mnist_reader.reader import Reader
from studies.other_writers import JUDGED, digits, render
from studies.under_corruption import Answers

SIZES = (32, 64, 160, 320)  # pixels a side of a picture of one digit
TEN = tuple("0123456789")


def main() -> None:
    """Write the table and the picture; where the classes are the ten digits, read pictures of such as well."""
    params, reader = load_params(), Reader(ONNX)
    images, labels = read_csv(TEST_CSV, len(reader.about.classes), reader.classifier.shape)
    shown, rows = [Answers("as it is", images[:1], reader.classifier(images[:1]))], []
    for found in robustness.under_each(reader.classifier, images, params.seed):
        row = robustness.score(found, labels) | robustness.doubts(found, labels, reader.about.threshold)
        print(f"{found.kind}: {row['accuracy']:.2%} right, {row['unsure']:.2%} unsure", flush=True)
        shown.append(first(found))
        rows.append(row)
    metrics = robustness.summary(rows)
    if reader.about.classes == TEN:
        metrics["pictures"] = [read(reader, *pictures) for pictures in pictures_of_digits(images, labels)]
    write_json(METRICS / "robustness.json", metrics)
    figures.save(sheet(shown, labels[0], reader.about.classes), PLOTS / "robustness.png")
    print(f"on average: {metrics['corrupted_accuracy']:.2%} right, {metrics['corrupted_unsure']:.2%} unsure")


def pictures_of_digits(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, list[Image.Image], np.ndarray]]:
    """(name, pictures, labels): digits of other writers in several sizes, and the test images as ink on paper."""
    small, theirs = digits(JUDGED)
    for size in SIZES:
        yield f"digits_{size}", [render(image, size) for image in small], theirs
    yield "test_images", [Image.fromarray(255 - image) for image in images], labels


def read(reader: Reader, name: str, pictures: list[Image.Image], labels: np.ndarray) -> dict[str, Any]:
    """How many pictures are right, merely resized and inverted and as read; and how many readings are unsure."""
    resized = np.stack([255 - np.asarray(picture.resize(SHAPE[::-1])) for picture in pictures])
    readings, names = list(reader.read_many(pictures)), reader.about.classes
    right = [reading.text == names[label] for reading, label in zip(readings, labels, strict=True)]
    found = {
        "pictures": name,
        "num_images": len(labels),
        "resized": float((reader.classifier(resized).argmax(axis=1) == labels).mean()),
        "read": float(np.mean(right)),
        "unsure": float(np.mean([reading.unsure for reading in readings])),
    }
    print(f"{name}: {found['read']:.2%} read right, {found['unsure']:.2%} unsure", flush=True)
    return found


def first(found: Answers) -> Answers:
    """The first image alone, for the picture: all images of all kinds together take 118 MB."""
    return found._replace(images=found.images[:1].copy(), probabilities=found.probabilities[:1])


def sheet(shown: list[Answers], label: int, classes: tuple[str, ...]) -> Figure:
    """One test image under each corruption, with the model's answer."""
    said = [found.probabilities[0] for found in shown]
    return sheets.answered(
        np.concatenate([found.images for found in shown]),
        [found.kind.replace("_", " ") for found in shown],
        [f"{classes[answer.argmax()]}  {answer.max():.0%}" for answer in said],
        [answer.argmax() == label for answer in said],
    )


if __name__ == "__main__":
    run_stage(main)
