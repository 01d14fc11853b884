"""What the reader makes of pictures that hold no digit, of rows of digits, and of digits that touch.

None of these pictures was used for training or for the threshold: letters are drawn in fonts that no training sees
(mnist.learning.fonts.HELD_OUT), the rest here. Rows are made of MNIST's test images.

Reads:  models/export/MNIST_keras_CNN.onnx, data/csv/test.csv; clothes, of Debian's package dataset-fashion-mnist
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
from mnist.core.paths import ONNX, TEST_CSV
from mnist.core.table import read_csv
from mnist.data.idx import read_idx
from mnist.learning.fonts import HELD_OUT
from mnist_reader import Reader

CLOTHES = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghijkmnpqrtuvwxy#%&@?!+=*"  # I, l, O, S, Z may be digits
COUNT = 1000  # pictures of each kind that is drawn
ROWS = 2000
Data = tuple[np.ndarray, np.ndarray]
Row = dict[str, float | str | None]


def main() -> None:
    """Print the table and write the same figures as JSON."""
    reader, rng = Reader(ONNX), np.random.default_rng(99)
    kinds = {"noise": noise, "textures": textures, "blank paper": blank, "ruled paper": ruled}
    rows = [doubted(reader, "letters", letters())]
    rows += [doubted(reader, name, (draw(rng) for _ in range(COUNT))) for name, draw in kinds.items()]
    rows += [doubted(reader, "clothes", clothes())]
    images, labels = read_csv(TEST_CSV)
    rows.append(read_rows(reader, "rows of 2 to 8 digits", (images, labels), 8, (2, 21), rng))
    rows.append(read_rows(reader, "rows of 2 to 4 that touch", (images, labels), 4, (-3, 1), rng))
    report("reading", rows)


def doubted(reader: Reader, name: str, pictures: Iterator[Image.Image]) -> Row:
    """The fraction of pictures of no digit that are called unsure or empty."""
    doubts = [reading.unsure or not reading.digits for reading in reader.read_many(pictures)]
    share = float(np.mean(doubts))
    return {"pictures": name, "number": len(doubts), "unsure_or_empty": share, "right": None, "sure_and_wrong": None}


def read_rows(reader: Reader, name: str, data: Data, most: int, gaps: tuple[int, int], rng: np.random.Generator) -> Row:
    """How rows of test images, dark on light, are read; `right` counts the text, unsure or not."""
    images, labels = data
    found = []
    for _ in range(ROWS):
        chosen = rng.integers(0, len(images), rng.integers(2, most + 1))
        reading = reader.read(row(images[chosen], gaps, rng))
        right = reading.text == "".join(map(str, labels[chosen]))
        found.append((reading.unsure, right, not right and not reading.unsure))
    unsure, right, wrong = np.mean(found, axis=0).tolist()
    return {"pictures": name, "number": ROWS, "unsure_or_empty": unsure, "right": right, "sure_and_wrong": wrong}


def row(images: np.ndarray, gaps: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The images side by side, `gaps` columns between their ink, on a margin of eight pixels."""
    field, end = np.zeros((44, 2 * 28 * len(images)), np.uint8), 8
    for index, image in enumerate(images):
        inked = np.flatnonzero(image.any(axis=0))
        start = end + (int(rng.integers(*gaps)) if index else 0)
        end = start + int(np.ptp(inked)) + 1
        place = field[8:36, start:end]
        np.maximum(place, image[:, inked[0] : inked[-1] + 1], out=place)
    return Image.fromarray(255 - field[:, : end + 8])


def clothes() -> Iterator[Image.Image]:
    """Fashion-MNIST's test images, dark on light."""
    images = read_idx(io.BytesIO(gzip.decompress(CLOTHES.read_bytes())))
    return (Image.fromarray(255 - image) for image in images)


def letters() -> Iterator[Image.Image]:
    """Letters and signs, printed."""
    for name in HELD_OUT:
        font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", f"{name}.ttf"), 64)
        for sign in LETTERS:
            image = Image.new("L", (128, 128), 255)
            ImageDraw.Draw(image).text((64, 64), sign, 0, font, anchor="mm")
            yield image


def noise(rng: np.random.Generator) -> Image.Image:
    """White noise of any size, half of the time softened."""
    side = int(rng.integers(24, 200))
    image = Image.fromarray(rng.integers(0, 256, (side, side), np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4))) if rng.random() < 0.5 else image


def textures(rng: np.random.Generator) -> Image.Image:
    """Stripes, soft or hard, or a chessboard."""
    side = int(rng.integers(28, 200))
    y, x = np.mgrid[:side, :side]
    turn, angle, kind = 2 * math.pi / rng.uniform(4, side / 2), rng.uniform(0, math.pi), rng.integers(3)
    waves = np.sin((x * math.cos(angle) + y * math.sin(angle)) * turn)
    waves = [waves, np.sign(waves), np.sign(np.sin(x * turn) * np.sin(y * turn))][kind]
    return Image.fromarray(((waves * 0.5 + 0.5) * 255).astype(np.uint8))


def blank(rng: np.random.Generator) -> Image.Image:
    """Paper with the noise of a camera."""
    side, level, spread = rng.integers(20, 200), rng.integers(150, 250), rng.uniform(0, 5)
    return Image.fromarray(np.clip(rng.normal(level, spread, (side, side)), 0, 255).astype(np.uint8))


def ruled(rng: np.random.Generator) -> Image.Image:
    """Lined or squared paper."""
    side = int(rng.integers(40, 300))
    image = Image.new("L", (side, side), 250)
    gap, width, ink = int(rng.integers(6, side // 2)), int(rng.integers(1, 4)), int(rng.integers(0, 190))
    squared = rng.random() < 0.5
    for at in range(int(rng.integers(gap)), side, gap):
        ImageDraw.Draw(image).line((0, at, side, at), ink, width)
        if squared:
            ImageDraw.Draw(image).line((at, 0, at, side), ink, width)
    return image


if __name__ == "__main__":
    run(main)
