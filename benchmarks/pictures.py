"""How well pictures that are no MNIST are read: by the reader, and merely resized.

scikit-learn's 1,797 digits (8×8 pixels, other writers than MNIST's) as dark ink on light paper, enlarged to several
sizes; and MNIST's own test images, which the reader must leave as good as they were.
Its preparation was tuned on the digits at even places; the figures are of those at odd places alone.

Reads:  models/export/MNIST_keras_CNN.onnx, data/raw/
Writes: benchmarks/pictures.json
Run:    python -m benchmarks.pictures
"""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.report import report
from mnist.data.idx import read_idx
from mnist.errors import run
from mnist.inference.reader import Reader
from mnist.paths import ONNX, RAW
from mnist.pixels import SHAPE

SIZES = (32, 64, 160, 320)  # pixels


def main() -> None:
    """Print the table and write the same figures as JSON."""
    reader = Reader(ONNX)
    digits = load_digits()
    images, labels = digits.images[1::2], digits.target[1::2]
    rows = [
        {"pictures": f"digits_{size}"} | compare([render(image, size) for image in images], labels, reader)
        for size in SIZES
    ]
    report("pictures", [*rows, {"pictures": "mnist_test"} | compare(*mnist_test(), reader)])


def render(image: np.ndarray, size: int) -> Image.Image:
    """An 8×8 image in 0–16 as dark ink on white paper, `size` pixels a side."""
    paper = Image.fromarray(np.rint(255 - image * (255 / 16)).astype(np.uint8))
    return paper.resize((size, size), Image.Resampling.BICUBIC)


def mnist_test() -> tuple[list[Image.Image], np.ndarray]:
    """MNIST's test images as dark ink on white paper, and their labels."""
    with (RAW / "t10k-images-idx3-ubyte").open("rb") as images, (RAW / "t10k-labels-idx1-ubyte").open("rb") as labels:
        return [Image.fromarray(255 - image) for image in read_idx(images)], read_idx(labels)


def compare(pictures: list[Image.Image], labels: np.ndarray, reader: Reader) -> dict[str, float]:
    """Accuracy, 0–1, on pictures merely resized and inverted, and as read; and how many readings are unsure."""
    resized = np.stack([255 - np.asarray(picture.resize(SHAPE[::-1])) for picture in pictures])
    names, readings = np.array(reader.about.classes), list(reader.read_many(pictures))
    right = [reading.text == names[label] for reading, label in zip(readings, labels, strict=True)]
    return {
        "num_images": len(labels),
        "resized": float((reader.classifier(resized).argmax(axis=1) == labels).mean()),
        "read": float(np.mean(right)),
        "unsure": float(np.mean([reading.unsure for reading in readings])),
    }


if __name__ == "__main__":
    run(main)
