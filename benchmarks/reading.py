"""What the reader makes of pictures that hold no digit, of rows of digits, and of digits that touch.

None of these pictures was used for training or for the threshold: letters are drawn in fonts that no training sees
(mnist.learning.fonts.JUDGED), the rest here. Rows are made of MNIST's test images. Clothes are the test images of
Fashion-MNIST, from Debian's package dataset-fashion-mnist.

Reads:  models/export/MNIST_keras_CNN.onnx, data/raw/, /usr/share/datasets/fashion-mnist/
Writes: benchmarks/reading.json
Run:    python -m benchmarks.reading
"""

import gzip
import io
import math
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.paths import ONNX, RAW
from mnist.data.idx import read_idx
from mnist.learning.fonts import JUDGED
from mnist_reader.reader import Reader

CLOTHES = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghijkmnpqrtuvwxy#%&@?!+=*"  # I, l, O, S, Z may be digits
Pictures = Iterator[Image.Image]
COUNT = 1000  # pictures of each kind that is drawn
ROWS = 2000


def main() -> None:
    """Print the table and write the same figures as JSON."""
    reader, rng = Reader(ONNX), np.random.default_rng(99)
    kinds = {"noise": noise, "textures": textures, "blank paper": blank, "ruled paper": ruled}
    nothing = {"letters": letters()} | {name: draw(rng) for name, draw in kinds.items()} | {"clothes": clothes()}
    rows = [{"pictures": name} | doubted(reader, pictures) for name, pictures in nothing.items()]
    images, labels = mnist_test()
    for name, gaps in {"rows of 2 to 8 digits": (2, 21), "rows of 2 to 4 that touch": (-3, 1)}.items():
        rows.append({"pictures": name} | read_rows(reader, images, labels, gaps, rng))
    report("reading", rows)


def doubted(reader: Reader, pictures: Pictures) -> dict[str, float | None]:
    """The fraction of pictures of no digit that are called unsure or empty."""
    readings = list(reader.read_many(pictures))
    doubts = [reading.unsure or not reading.digits for reading in readings]
    return {"number": len(doubts), "unsure_or_empty": float(np.mean(doubts)), "right": None, "sure_and_wrong": None}


def read_rows(
    reader: Reader, images: np.ndarray, labels: np.ndarray, gaps: tuple[int, int], rng: np.random.Generator
) -> dict[str, float | None]:
    """How rows of test images, dark on light, are read; `right` counts the text, unsure or not."""
    most = 8 if gaps[0] > 0 else 4
    found = []
    for _ in range(ROWS):
        chosen = rng.integers(0, len(images), rng.integers(2, most + 1))
        reading = reader.read(row([images[at] for at in chosen], gaps, rng))
        right = reading.text == "".join(str(labels[at]) for at in chosen)
        found.append((reading.unsure, right, not right and not reading.unsure))
    unsure, right_, wrong = np.mean(found, axis=0)
    return {"number": ROWS, "unsure_or_empty": unsure, "right": right_, "sure_and_wrong": wrong}


def row(images: list[np.ndarray], gaps: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The images side by side, `gaps` columns between their ink, on a margin of eight pixels."""
    field, end = np.zeros((44, 2 * 28 * len(images)), np.uint8), 8
    for index, image in enumerate(images):
        inked = np.flatnonzero(image.any(axis=0))
        start = end + (int(rng.integers(*gaps)) if index else 0)
        end = start + int(np.ptp(inked)) + 1
        place = field[8:36, start:end]
        np.maximum(place, image[:, inked[0] : inked[-1] + 1], out=place)
    return Image.fromarray(255 - field[:, : end + 8])


def mnist_test() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's test images and labels."""
    with (RAW / "t10k-images-idx3-ubyte").open("rb") as images, (RAW / "t10k-labels-idx1-ubyte").open("rb") as labels:
        return read_idx(images), read_idx(labels)


def clothes() -> Pictures:
    """Fashion-MNIST's test images, dark on light."""
    images = read_idx(io.BytesIO(gzip.decompress(CLOTHES.read_bytes())))
    return (Image.fromarray(255 - image) for image in images)


def letters() -> Pictures:
    """Letters and signs, printed."""
    for name in JUDGED:
        font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", f"{name}.ttf"), 64)
        for sign in LETTERS:
            image = Image.new("L", (128, 128), 255)
            ImageDraw.Draw(image).text((64, 64), sign, 0, font, anchor="mm")
            yield image


def noise(rng: np.random.Generator) -> Pictures:
    """White noise of every size, half of it softened."""
    for _ in range(COUNT):
        side = int(rng.integers(24, 200))
        image = Image.fromarray(rng.integers(0, 256, (side, side), np.uint8))
        yield image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4))) if rng.random() < 0.5 else image


def textures(rng: np.random.Generator) -> Pictures:
    """Stripes, soft or hard, and chessboards."""
    for _ in range(COUNT):
        side = int(rng.integers(28, 200))
        y, x = np.mgrid[:side, :side]
        turn, angle, kind = 2 * math.pi / rng.uniform(4, side / 2), rng.uniform(0, math.pi), rng.integers(3)
        waves = np.sin((x * math.cos(angle) + y * math.sin(angle)) * turn)
        waves = [waves, np.sign(waves), np.sign(np.sin(x * turn) * np.sin(y * turn))][kind]
        yield Image.fromarray(((waves * 0.5 + 0.5) * 255).astype(np.uint8))


def blank(rng: np.random.Generator) -> Pictures:
    """Paper with the noise of a camera."""
    for _ in range(COUNT):
        side, level, spread = rng.integers(20, 200), rng.integers(150, 250), rng.uniform(0, 5)
        yield Image.fromarray(np.clip(rng.normal(level, spread, (side, side)), 0, 255).astype(np.uint8))


def ruled(rng: np.random.Generator) -> Pictures:
    """Lined and squared paper."""
    for _ in range(COUNT):
        side = int(rng.integers(40, 300))
        image = Image.new("L", (side, side), 250)
        gap, width, ink = int(rng.integers(6, side // 2)), int(rng.integers(1, 4)), int(rng.integers(0, 190))
        squared = rng.random() < 0.5
        for at in range(int(rng.integers(gap)), side, gap):
            ImageDraw.Draw(image).line((0, at, side, at), ink, width)
            if squared:
                ImageDraw.Draw(image).line((at, 0, at, side), ink, width)
        yield image


if __name__ == "__main__":
    run(main)
