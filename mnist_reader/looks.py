"""Where a look at a picture finds digits; and the look from close, for a digit or a row in even light."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import FAINT
from mnist_reader.ink import WORK, NoInkError, Scan, around, cut_out, scan, widened
from mnist_reader.layout import Line, is_digit, is_sized, lines_of, usual_height
from mnist_reader.strokes import Part, connected_parts, own_ink, strokes, within_lines

LONG = 8 * WORK  # pixels; a row of digits is looked for in a copy no wider than this
LOW = 48  # pixels; a row less tall than this in a reduced copy is seen better from afar, in a larger copy
PALE = 12  # of 255; paper has marks of less
EDGE = 0.04  # of the shorter side; a pixel of 28
MOST = 64  # digits in one close look; more are no number
MOST_PARTS = 300  # of ink; smaller ones are not looked at
SLIVER = 0.75  # of a stroke's thickness; what is thinner at the left or right edge is a neighbour that is cut off

Box = tuple[float, float, float, float]  # left, top, right, bottom


class Look(NamedTuple):
    """Where a look at a picture finds digits."""

    scan: Scan
    labels: np.ndarray  # int32 (rows, columns) of the scan, see `connected_parts`
    lines: list[Line]
    left: int = 0  # of the looked at part of the picture, in pixels
    top: int = 0
    page: bool = False  # from afar
    coarse: bool = False  # a row of small digits in a reduced copy
    alone: bool = False  # one digit, and nothing else
    framed: bool = False  # within lines along the sides of the picture
    cropped: bool = False  # at its sides are strokes that are cut off
    more: bool = False  # there may be other digits, paler ones too, or ink that is too large for this height

    @property
    def digits(self) -> int:
        """The number of them."""
        return sum(map(len, self.lines))

    def ink(self, part: Part) -> np.ndarray:
        """The ink of one digit, `float32` `(rows, columns)` in 0–1, without a margin.

        Raises:
            NoInkError: it is too pale.
        """
        if self.page:
            return own_ink(self.scan.ink, self.labels, part)
        return cut_out(self.scan.levels if self.alone else alone(self, part), self.scan)

    def box(self, part: Part) -> Box:
        """Its place in the picture, in pixels."""
        (rows, columns), (height, width) = self.scan.levels.shape, self.scan.ink.shape
        across, down = columns / width, rows / height  # the factor, but for a remainder
        left, right = (side * across + self.left for side in (part.left, part.right))
        top, bottom = (side * down + self.top for side in (part.top, part.bottom))
        return left, top, right, bottom

    def at_edge(self, part: Part) -> bool:
        """Whether it may be cut off by the side of the picture."""
        shape = self.scan.ink.shape
        return part.margin(shape) < (1 if self.page else EDGE * min(shape))


def close_look(levels: np.ndarray) -> Look:
    """Look for a row of digits, or one digit, in grey levels `uint8` `(rows, columns)` of evenly lit paper.

    Raises:
        NoInkError: no ink but lines, or more than MOST digits.
    """
    down, across = within_lines(levels)
    inner = levels[down, across]
    scanned = scan(inner, _factor(inner.shape))
    labels, found, ruled = strokes(scanned.ink > FAINT, bordered=inner.shape != levels.shape)
    largest = found[:MOST_PARTS]
    parts = without_slivers(largest, scanned.ink.shape)
    height = usual_height(parts)
    lines = lines_of(parts, height)
    look = Look(scanned, labels, lines, across.start, down.start)
    if not 1 <= look.digits <= MOST:
        raise NoInkError
    coarse = scanned.factor > 1 and max(part.height for part in parts) < LOW
    alone = look.digits == 1 and not ruled and len(lines[0][0].part.labels) == len(found)
    framed, cropped = inner.shape != levels.shape, len(parts) < len(largest)
    squared = framed and ruled and look.digits > 1  # the frame may be one of the squares of the paper
    pale = look.digits > 1 and has_pale(scanned, height)
    more = squared or pale or not all(is_sized(part, height) for part in parts)
    return look._replace(coarse=coarse, alone=alone, framed=framed, cropped=cropped, more=more)


def has_pale(scanned: Scan, height: float) -> bool:
    """Whether something as tall as the digits is so pale beside them that it was not taken for ink."""
    mask = (scanned.depth > PALE) & ~widened(scanned.ink > FAINT, 2)
    return any(is_digit(part, height) for part in connected_parts(mask)[1])


def _factor(shape: tuple[int, ...]) -> int:
    """How many times smaller the copy is: a row may be longer than one digit, but not as long as it likes."""
    rows, columns = shape
    return max(1, -(-max(rows, min(columns, 2 * rows)) // WORK), -(-columns // LONG))


def without_slivers(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The parts but for those at the left or right edge that are thinner than the strokes of the others."""
    inside = [part for part in parts if part.left > 0 and part.right < shape[1]]
    height = usual_height(inside)
    thick = sorted(part.area / (part.height + part.width) for part in inside if part.height >= height / 2)
    least = SLIVER * thick[len(thick) // 2] if thick else 0
    return [part for part in parts if part.width >= least or (part.left > 0 and part.right < shape[1])]


def alone(look: Look, part: Part) -> np.ndarray:
    """The grey levels around one digit; all other ink is painted over with paper."""
    area = around(part.box, part.height // 4 + 2)
    levels, ink = look.scan.levels[look.scan.original(area)], look.scan.ink[area] > FAINT
    own = part.mask(look.labels[area])
    others = widened(ink & ~own, 2) & ~own
    if not others.any():
        return levels
    others, paper = (_enlarged(mask, look.scan.factor, levels.shape) for mask in (others, ~ink))
    return np.where(others, _median(levels, paper), levels)


def _median(levels: np.ndarray, mask: np.ndarray) -> np.uint8:
    """The median of `uint8` levels where the mask is, rounded down; np.median sorts, which takes long for millions."""
    sums = np.cumsum(Image.fromarray(levels).histogram(Image.fromarray(mask)))
    middle = np.searchsorted(sums, [(sums[-1] - 1) // 2, sums[-1] // 2], side="right")
    return np.uint8(middle.sum() // 2)


def _enlarged(mask: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]
