"""Read digits in pictures: the library that other programs use."""

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist_reader.about import About, AboutError
from mnist_reader.classifier import BATCH, Classifier
from mnist_reader.digits import Box
from mnist_reader.picture import Picture
from mnist_reader.preparation import InputSpec, PreparedDigit, PreparedPicture, prepare_picture

WIDE = 1.2  # times the height; two digits that touch are wider than this, few single ones are
SURE = 0.9  # confidence, below which a part is unsure that is wide or, in a row, at the edge of the picture


class Digit(NamedTuple):
    """One digit (or, with another model, one picture's class)."""

    label: str  # the name of the most likely class
    confidence: float  # its probability, 0–1
    second: str  # the next most likely class
    second_confidence: float
    box: Box  # left, top, right, bottom, as fractions 0–1 of the sides of the picture, turned as EXIF says
    pixels: tuple[int, int, int, int]  # the same in pixels
    unsure: bool  # perhaps no class: below the threshold, or doubtful for its shape and place (SURE, _is_pattern)
    probabilities: tuple[float, ...]  # of each class
    image: np.ndarray  # what the model saw, uint8 (rows, columns), 255 = ink
    mark: str = ""  # "." or "," where such a mark stands between this digit and the next

    def __repr__(self) -> str:
        return f"Digit({self.label!r}, confidence={self.confidence:.3f}, unsure={self.unsure})"


class Reading(NamedTuple):
    """What one picture says."""

    lines: tuple[tuple[Digit, ...], ...]  # from top to bottom, each from left to right; none in an empty picture
    turned: int = 0  # degrees, clockwise, by which the picture had to be turned; boxes are of the picture as it is

    @property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all lines."""
        return tuple(itertools.chain.from_iterable(self.lines))

    @property
    def text(self) -> str:
        """The labels, each line on its own: `2026`; empty where the picture is."""
        return "\n".join("".join(digit.label + digit.mark for digit in line) for line in self.lines)

    @property
    def confidence(self) -> float:
        """The probability that all digits are right, 0–1: the product of theirs; 0 where the picture is empty."""
        return math.prod(digit.confidence for digit in self.digits) if self.lines else 0.0

    @property
    def unsure(self) -> bool:
        """There is no answer that one can trust: one of the digits is unsure, or the picture is empty."""
        return self.empty or any(digit.unsure for digit in self.digits)

    @property
    def empty(self) -> bool:
        """There is nothing to read."""
        return not self.lines

    def __repr__(self) -> str:
        return f"Reading({self.text!r}, confidence={self.confidence:.3f}, unsure={self.unsure})"


class Reader:
    """Reads pictures of one digit or a row of digits with an exported ONNX model.

    >>> reading = Reader().read("photo.jpg")
    >>> print(reading.text, reading.confidence, reading.unsure)
    2026 0.987 False

    `reading.text` is the digits from left to right, as a string. `reading.confidence` is the probability that all of
    them are right, 0–1. `reading.unsure` is true where the picture may hold something else than digits: have a person
    look at it. `reading.digits` has the same for each digit, and where it stands.
    """

    def __init__(self, path: Path | str | None = None, accept_all: bool = False) -> None:
        """Load the model; takes a few hundredths of a second.

        Args:
            path: `MNIST_keras_CNN.onnx` of an export; without one, the model of the package or the clone.
            accept_all: read every picture as one digit, and call none unsure.

        Raises:
            ClassifierError: no such file, no ONNX, or no classifier of grey images.
            AboutError: the model does not say its classes, so it comes from an older export.
        """
        path = Path(path or default_model())
        self.classifier = Classifier(path)
        self.about = About.of(self.classifier.properties, str(path))
        if len(self.about.classes) != self.classifier.classes:
            raise AboutError(f"{path}: expected {self.classifier.classes} class names, found {len(self.about.classes)}")
        self.accept_all = accept_all

    @property
    def input_spec(self) -> InputSpec:
        """How the model wants its pictures."""
        return InputSpec(self.about.preparation, self.classifier.shape, single=self.accept_all)

    def read(self, picture: Picture, name: str = "picture") -> Reading:
        """Read one picture.

        Args:
            picture: a Pillow image; the bytes or the path of a PNG, JPEG, WebP, GIF, BMP, TIFF, PPM or AVIF file; or
                an array `(rows, columns)` or `(rows, columns, 3)`, `uint8`, of any size. Dark on light or light on
                dark.
            name: what an error calls it, where it is not a path.

        Raises:
            PictureError: one line: unreadable, damaged, too large, or no picture.
        """
        return self.classify([prepare_picture(picture, name, self.input_spec)])[0]

    def read_many(self, pictures: Iterable[Picture]) -> Iterator[Reading]:
        """Read pictures one after another, in order; a few dozen are held at a time.

        Raises:
            PictureError: at the first picture that cannot be read.
        """
        pictures = iter(pictures)
        while batch := list(itertools.islice(pictures, BATCH)):
            yield from self.classify([prepare_picture(picture, spec=self.input_spec) for picture in batch])

    def classify(self, pictures: list[PreparedPicture]) -> list[Reading]:
        """The readings of pictures that `prepare_picture` has prepared."""
        parts = [part for digits, _, whole in pictures for part in (*digits, *([whole] if whole else []))]
        if not parts:
            return [Reading(()) for _ in pictures]
        probabilities = self.classifier(np.stack([part.image for part in parts]))
        sizes = [
            picture.size for picture in pictures for _ in (*picture.digits, *([picture.whole] if picture.whole else []))
        ]
        digits = map(self._digit, probabilities, parts, sizes)
        return [self._reading(picture, digits) for picture in pictures]

    def _reading(self, picture: PreparedPicture, digits: Iterator[Digit]) -> Reading:
        """The row, unless it is unsure and the picture as a whole is one digit of which the model is sure."""
        row = tuple(itertools.islice(digits, len(picture.digits)))
        if _is_pattern(row, picture.digits):
            row = tuple(digit._replace(unsure=True) for digit in row)
        if picture.whole is None:
            return Reading((row,) if row else ())
        whole = next(digits)
        return Reading(((whole,) if not row or (Reading((row,)).unsure and not whole.unsure) else row,))

    def _digit(self, probabilities: np.ndarray, part: PreparedDigit, size: tuple[int, int]) -> Digit:
        second, first = map(int, np.argsort(probabilities)[-2:])
        confidence, second_confidence = float(probabilities[first]), float(probabilities[second])
        unsure = confidence < self._least_confidence(part) and not self.accept_all
        names, every = self.about.classes, tuple(map(float, probabilities))
        left, top, right, bottom = part.box
        pixels = (round(left * size[0]), round(top * size[1]), round(right * size[0]), round(bottom * size[1]))
        box = part.box
        return Digit(names[first], confidence, names[second], second_confidence, box, pixels, unsure, every, part.image)

    def _least_confidence(self, part: PreparedDigit) -> float:
        """Below it the digit is unsure."""
        doubtful = self.about.preparation == "ink" and (part.cut_off or _is_wide(part.image))
        return max(self.about.threshold, SURE) if doubtful else self.about.threshold


def default_model() -> Path:
    """The model inside the package, as a wheel has it; else the export of the clone in which the package lies."""
    inside = Path(__file__).with_name("model.onnx")
    return inside if inside.is_file() else Path(__file__).parents[1] / "models/export/MNIST_keras_CNN.onnx"


def _is_pattern(row: tuple[Digit, ...], parts: list[PreparedDigit]) -> bool:
    """Whether a row is the same digit again and again up to the edge of the picture: stripes are, and clothes."""
    return len(row) > 1 and len({digit.label for digit in row}) == 1 and any(part.cut_off for part in parts)


def _is_wide(image: np.ndarray) -> bool:
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    return len(rows) > 0 and bool(np.ptp(columns) + 1 > WIDE * (np.ptp(rows) + 1))
