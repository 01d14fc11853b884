"""What a picture says: lines of digits, and where each of them stands."""

import itertools
import math
import re
from typing import NamedTuple

import numpy as np

from mnist_reader.looks import Box

THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
Pixels = tuple[int, int, int, int]


class Digit(NamedTuple):
    """One digit (or, with another model, one picture's class)."""

    label: str  # the name of the most likely class
    confidence: float  # its probability, 0–1
    second: str  # the next most likely class
    second_confidence: float
    box: Box  # left, top, right, bottom, as fractions 0–1 of the sides of the picture, turned as EXIF says
    pixels: Pixels  # the same in pixels
    unsure: bool  # perhaps no class: below the threshold, or doubtful for its form or place
    probabilities: tuple[float, ...]  # of each class
    image: np.ndarray  # what the model saw, uint8 (rows, columns), 255 = ink
    mark: str = ""  # ".", "," or "/" where such a mark stands between this digit and the next

    def __repr__(self) -> str:
        return f"Digit({self.label!r}, confidence={self.confidence:.3f}, unsure={self.unsure})"


class Reading(NamedTuple):
    """What one picture says."""

    lines: tuple[tuple[Digit, ...], ...]  # from top to bottom, each from left to right; none in an empty picture
    turned: int = 0  # degrees, clockwise, by which the picture had to be turned; boxes are of the picture as it is
    more: bool = False  # beside these digits are lines of something else

    @property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all lines."""
        return tuple(itertools.chain.from_iterable(self.lines))

    @property
    def text(self) -> str:
        """The labels, each line on its own: `2026`, `24.12.2026`; empty where the picture is.

        Points, commas and slashes between digits are kept, but for commas that group thousands: `1,528` is `1528`.
        """
        return "\n".join(map(_text, self.lines))

    @property
    def confidence(self) -> float:
        """The probability that all digits are right, 0–1: the product of theirs; 0 where the picture is empty."""
        return math.prod(digit.confidence for digit in self.digits) if self.digits else 0.0

    @property
    def unsure(self) -> bool:
        """There is no answer that one can trust: a digit is unsure, the picture is empty, or it has something else."""
        return self.empty or self.more or any(digit.unsure for digit in self.digits)

    @property
    def empty(self) -> bool:
        """There is nothing to read."""
        return not self.digits

    def turned_back(self, quarters: int, size: tuple[int, int]) -> "Reading":
        """The same of a picture that was turned `quarters` counterclockwise, with boxes of the picture as it is."""
        lines = []
        for line in self.lines:
            boxes = [turned_box(digit.box, quarters) for digit in line]
            lines.append(
                tuple(d._replace(box=box, pixels=pixels(box, size)) for d, box in zip(line, boxes, strict=True))
            )
        return self._replace(lines=tuple(lines), turned=360 - 90 * quarters)

    def __repr__(self) -> str:
        return f"Reading({self.text!r}, confidence={self.confidence:.3f}, unsure={self.unsure})"


def pixels(box: Box, size: tuple[int, int]) -> Pixels:
    """A box of fractions in whole pixels of a picture of this width and height."""
    (left, top, right, bottom), (width, height) = box, size
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def turned_box(box: Box, quarters: int) -> Box:
    """A box of fractions in the picture turned `quarters` clockwise."""
    left, top, right, bottom = box
    for _ in range(quarters):
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return left, top, right, bottom


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes share, in their own unit; 0 where they lie apart."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def _text(line: tuple[Digit, ...]) -> str:
    """The labels of a line with the marks between them, without commas that group thousands."""
    text = "".join(digit.label + digit.mark for digit in line)
    return text.replace(",", "") if THOUSANDS.fullmatch(text) else text
