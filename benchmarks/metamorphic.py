"""What changes in the answer when a picture changes and its digits do not: size, light, margin, file format …

Each picture is read as it is and changed, and the two texts are compared, right or wrong. The digits are MNIST's test
images as dark ink on light paper: alone, 112 pixels high, and in rows of four.

Reads:  models/export/MNIST_keras_CNN.onnx, data/csv/test.csv
Writes: benchmarks/metamorphic.json
Run:    python -m benchmarks.metamorphic
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from benchmarks.reading import row
from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.paths import ONNX, TEST_CSV
from mnist.core.table import read_csv
from mnist_reader import Reader
from mnist_reader.picture import ORIENTATION

COUNT = 300  # pictures of a digit, and as many of a row
ENLARGED = 4  # times
DIGITS, GAPS = 4, (2, 21)  # of a row; columns between its digits, before it is enlarged
PAPER, INK = 235, 40  # grey levels
FORMATS = ("PNG", "WEBP", "GIF", "BMP", "TIFF")
DIMMED, SHADOW = 0.4, 0.25  # of the light
CORNER, SOFT = 0.5, 0.05  # of the sides; where the shadow begins, and how soft its edge is
UPRIGHT = {  # EXIF's orientation → how an upright picture lies in the file
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
Form = Image.Image | bytes


def main() -> None:
    """Print the table and write the same figures as JSON."""
    reader, rng = Reader(ONNX), np.random.default_rng(0)
    images, _ = read_csv(TEST_CSV)
    digits = [Image.fromarray(255 - image) for image in rng.permutation(images)[:COUNT]]
    rows = [row(images[rng.integers(0, len(images), DIGITS)], GAPS, rng) for _ in range(COUNT)]
    report("metamorphic", compared(reader, list(map(on_paper, digits)), list(map(on_paper, rows))))


def on_paper(image: Image.Image) -> Image.Image:
    """Black on white, enlarged, as dark ink on light paper."""
    large = image.resize((ENLARGED * image.width, ENLARGED * image.height), Image.Resampling.BICUBIC)
    return large.point(lambda level: INK + (PAPER - INK) * level // 255)


def compared(reader: Reader, digits: list[Image.Image], rows: list[Image.Image]) -> list[dict[str, str | float]]:
    """For each change the fraction of answers that differ from those to the pictures as they are."""
    texts = [[reader.read(picture).text for picture in pictures] for pictures in (digits, rows)]

    def differ(pictures: list[Image.Image], plain: list[str], change: Callable[[Image.Image], list[Form]]) -> float:
        pairs = zip(pictures, plain, strict=True)
        return float(np.mean([reader.read(form).text != text for picture, text in pairs for form in change(picture)]))

    return [
        {
            "change": name,
            "digits_differ": differ(digits, texts[0], change),
            "rows_differ": differ(rows, texts[1], change),
        }
        for name, change in CHANGES.items()
    ]


def scaled(factor: float) -> Callable[[Image.Image], list[Form]]:
    """So many times as large."""

    def change(picture: Image.Image) -> list[Form]:
        size = (round(factor * picture.width), round(factor * picture.height))
        return [picture.resize(size, Image.Resampling.BICUBIC)]

    return change


def padded(picture: Image.Image) -> list[Form]:
    """In the middle of paper three times as wide and high."""
    return [ImageOps.expand(picture, (picture.width, picture.height), PAPER)]


def bordered(picture: Image.Image) -> list[Form]:
    """In a thin frame."""
    return [ImageOps.expand(picture, 2, INK)]


def turned_by_exif(picture: Image.Image) -> list[Form]:
    """Turned and mirrored in the file in all ways that its EXIF undoes."""
    return [
        encoded(picture if way is None else picture.transpose(way), "PNG", orientation)
        for orientation, way in UPRIGHT.items()
    ]


def encoded(picture: Image.Image, form: str, orientation: int = 1, **options: int) -> bytes:
    """The bytes of a file."""
    exif, file = Image.Exif(), io.BytesIO()
    if orientation > 1:
        exif[ORIENTATION] = orientation
    picture.copy().save(file, form, exif=exif, **options)  # Pillow gives an image that it saves as GIF a palette
    return file.getvalue()


def lit(light: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Image.Image], list[Form]]:
    """In a light, 0–1, that is a function of the place, which is 0–1 along rows and columns."""

    def change(picture: Image.Image) -> list[Form]:
        y, x = np.mgrid[0 : 1 : picture.height * 1j, 0 : 1 : picture.width * 1j]
        return [Image.fromarray((np.asarray(picture) * light(x, y)).astype(np.uint8))]

    return change


def shadow(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A soft one over the lower right corner."""
    return 1 - SHADOW / (1 + np.exp((2 - CORNER - x - y) / SOFT))


CHANGES: dict[str, Callable[[Image.Image], list[Form]]] = {
    "half as large": scaled(0.5),
    "twice as large": scaled(2),
    "four times as large": scaled(4),
    "inverted": lambda picture: [ImageOps.invert(picture)],
    "wide margins": padded,
    "thin frame": bordered,
    "turned, with EXIF": turned_by_exif,
    "JPEG, quality 10": lambda picture: [encoded(picture, "JPEG", quality=10)],
    "other formats": lambda picture: [encoded(picture, form) for form in FORMATS],
    "light from one side": lit(lambda x, y: 1 - DIMMED * x),
    "soft shadow": lit(shadow),
}


if __name__ == "__main__":
    run(main)
