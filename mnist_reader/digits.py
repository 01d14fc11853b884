"""Grey levels → the digits that stand in them, from left to right, each cut out as if it stood alone."""

import functools
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from mnist_reader.core.normalisation import FAINT
from mnist_reader.ink import SPECK, WORK, NoInkError, Scan, around, cut_out, scan, widened
from mnist_reader.strokes import Part, strokes, within_lines

LONG = 8 * WORK  # pixels; a row of digits is looked for in a copy no wider than this
LOW = 32  # pixels; a row less tall than this in a reduced copy is looked for again in the original
TALL = 0.5  # of the tallest; shorter parts join a neighbour, where one is near
NEAR = 0.15  # of the tallest; parts no farther apart than this may be one digit
TOGETHER = 0.5  # of the narrower; parts that share more columns are one digit
EDGE = 0.04  # of the shorter side; a pixel of 28
MOST = 64  # digits in one picture; more are no number

Box = tuple[float, float, float, float]  # left, top, right, bottom


class Cut(NamedTuple):
    """The ink of one digit, and where it stands."""

    ink: np.ndarray  # float32 (rows, columns) in 0–1, no margin
    box: Box  # pixels of the picture
    at_edge: bool = False  # of the picture, or of what lies within the lines along its sides

    def moved(self, area: tuple[slice, slice]) -> "Cut":
        """The same in a picture of which this was an area."""
        rows, columns = area
        return self._replace(box=tuple(np.add(self.box, (columns.start, rows.start) * 2).tolist()))


def cut_digits(levels: np.ndarray, closer: bool = True) -> list[Cut]:
    """Cut every digit out of grey levels `uint8` `(rows, columns)`, from left to right.

    A single digit comes out as by `mnist_reader.ink.cut_out`. With `closer` those that are small in a large picture
    are looked for twice.

    Raises:
        NoInkError: no ink but lines, or more than MOST digits.
    """
    area = within_lines(levels)
    inner = levels[area]
    scanned = scan(inner, _factor(inner.shape))
    labels, parts, ruled = strokes(scanned.ink > FAINT, bordered=inner.shape != levels.shape)
    digits = grouped(parts)
    if not 1 <= len(digits) <= MOST:
        raise NoInkError
    if len(digits) == 1 and not ruled:
        cuts = _cut_each([inner], digits, scanned)
    elif closer and scanned.factor > 1 and max(part.height for part in parts) < LOW:
        cuts = _cut_closer(scanned, digits)
    else:
        cuts = _cut_each([alone(scanned, labels, digit) for digit in digits], digits, scanned)
    return [cut.moved(area) for cut in cuts]


def _factor(shape: tuple[int, ...]) -> int:
    """How many times smaller the copy is: a row may be longer than one digit, but not as long as it likes."""
    rows, columns = shape
    return max(1, -(-max(rows, min(columns, 2 * rows)) // WORK), -(-columns // LONG))


def _cut_closer(scanned: Scan, digits: list[Part]) -> list[Cut]:
    """Cut digits out of the part of the original in which they were found, with a margin of half their height."""
    row = functools.reduce(Part.joined, digits)
    area = scanned.original(around(row.box, row.height // 2 + 2))
    return [cut.moved(area) for cut in cut_digits(scanned.levels[area], closer=False)]


def _cut_each(pieces: list[np.ndarray], digits: list[Part], scanned: Scan) -> list[Cut]:
    """Cut each digit out of the grey levels in which it stands alone; one that is then too pale is left out."""
    cuts = []
    for piece, digit in zip(pieces, digits, strict=True):
        with suppress(NoInkError):
            cuts.append(_placed(cut_out(piece, scanned), digit, scanned))
    if not cuts:
        raise NoInkError
    return cuts


def _placed(ink: np.ndarray, digit: Part, scanned: Scan) -> Cut:
    """The ink of a digit with its place in the original."""
    (rows, columns), (height, width) = scanned.levels.shape, scanned.ink.shape
    across, down = columns / width, rows / height  # the factor, but for a remainder
    left, top, right, bottom = digit.left * across, digit.top * down, digit.right * across, digit.bottom * down
    nearest = min(left, top, columns - right, rows - bottom)
    return Cut(ink, (left, top, right, bottom), nearest < EDGE * min(rows, columns))


def alone(scanned: Scan, labels: np.ndarray, digit: Part) -> np.ndarray:
    """The grey levels around one digit; all other ink is painted over with paper."""
    area = around(digit.box, digit.height // 4 + 2)
    levels, ink = scanned.levels[scanned.original(area)], scanned.ink[area] > FAINT
    own = np.isin(labels[area], digit.labels)
    others = widened(ink & ~own, 2) & ~own
    if not others.any():
        return levels
    others, paper = (_enlarged(mask, scanned.factor, levels.shape) for mask in (others, ~ink))
    return np.where(others, np.uint8(np.median(levels[paper])), levels)


def _enlarged(mask: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def grouped(parts: list[Part]) -> list[Part]:
    """The parts that make up each digit as one, from left to right; specks are left out."""
    total, tallest = sum(part.area for part in parts), max((part.height for part in parts), default=0)
    digits: list[Part] = []
    for part in sorted((part for part in parts if part.height >= TALL * tallest), key=lambda part: part.left):
        if digits and -digits[-1].gap(part) > TOGETHER * min(digits[-1].width, part.width):
            digits[-1] = digits[-1].joined(part)
        else:
            digits.append(part)
    for part in parts:
        if part.height >= TALL * tallest:
            continue
        nearest = min(range(len(digits)), key=lambda index: digits[index].gap(part))
        if digits[nearest].gap(part) <= NEAR * tallest:
            digits[nearest] = digits[nearest].joined(part)
        elif part.area > SPECK * total:
            digits.append(part)
    return sorted(digits, key=lambda digit: digit.left)
