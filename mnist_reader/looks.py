"""Two looks at a picture: from close, for a digit or a row in even light, and from afar, for a page in any light."""

from typing import NamedTuple

import numpy as np

from mnist_reader.core.normalisation import FAINT, trimmed
from mnist_reader.ink import WORK, NoInkError, Scan, around, cut_out, scan, widened
from mnist_reader.layout import Line, lines_of, usual_height
from mnist_reader.light import page_scan
from mnist_reader.rules import without_rules
from mnist_reader.strokes import Part, connected_parts, strokes, within_lines

LONG = 8 * WORK  # pixels; a row of digits is looked for in a copy no wider than this
LOW = 48  # pixels; a row less tall than this in a reduced copy is seen better from afar, in a larger copy
EDGE = 0.04  # of the shorter side; a pixel of 28
MOST = 64  # digits in one close look; more are no number
MOST_ON_PAGE = 400
MOST_PARTS = 4000  # of a page; more are a texture
STRONG = 0.4  # of full ink; paler pixels do not connect parts of a page
SMALLEST = 6  # pixels; a digit of a page is taller
WEAK, WEAKER = 0.4, 0.3  # of the usual depth of ink; weaker pieces, and weaker digits, are dirt
ALONE = 0.6  # of the usual height; a digit alone in its line, or at the edge, is at least as tall
SOLID = 0.8  # of its box; a wide part that fills more is a blot
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
            return own_ink(self, part)
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
        rows, columns = self.scan.ink.shape
        nearest = min(part.left, part.top, columns - part.right, rows - part.bottom)
        return nearest < (1 if self.page else EDGE * min(rows, columns))


def close_look(levels: np.ndarray) -> Look:
    """Look for a row of digits, or one digit, in grey levels `uint8` `(rows, columns)` of evenly lit paper.

    Raises:
        NoInkError: no ink but lines, or more than MOST digits.
    """
    down, across = within_lines(levels)
    inner = levels[down, across]
    scanned = scan(inner, _factor(inner.shape))
    labels, found, ruled = strokes(scanned.ink > FAINT, bordered=inner.shape != levels.shape)
    parts = without_slivers(found, scanned.ink.shape)
    lines = lines_of(parts, usual_height(parts))
    look = Look(scanned, labels, lines, across.start, down.start)
    if not 1 <= look.digits <= MOST:
        raise NoInkError
    coarse = look.digits > 1 and scanned.factor > 1 and max(part.height for part in parts) < LOW
    alone = look.digits == 1 and not ruled and len(lines[0][0].part.labels) == len(found)
    return look._replace(coarse=coarse, alone=alone, framed=inner.shape != levels.shape)


def _factor(shape: tuple[int, ...]) -> int:
    """How many times smaller the copy is: a row may be longer than one digit, but not as long as it likes."""
    rows, columns = shape
    return max(1, -(-max(rows, min(columns, 2 * rows)) // WORK), -(-columns // LONG))


def page_look(levels: np.ndarray) -> Look:
    """Look for lines of digits in grey levels `uint8` `(rows, columns)` of a page in any light.

    Raises:
        NoInkError: nothing that could be digits, or more than a page has.
    """
    scanned = page_scan(levels)
    mask = scanned.ink > STRONG
    _, parts = connected_parts(mask)
    height = usual_height(_likely(parts, mask.shape))
    if not height or len(parts) > MOST_PARTS:
        raise NoInkError
    labels, parts = connected_parts(without_rules(mask, height))
    parts = without_slivers(parts, mask.shape)
    height = usual_height([part for part in _likely(parts, mask.shape) if not _touches(part, mask.shape)])
    parts = [part for part in parts if part.height >= ALONE * height or not _touches(part, mask.shape)]
    parts = [part for part in parts if part.area < SOLID * part.height * part.width or part.width < part.height / 2]
    lines = lines_of(_strong(parts, labels, scanned.depth, height), height)
    look = Look(scanned, labels, [line for line in lines if _is_credible(line, lines, height, mask.shape)], page=True)
    if not 1 <= look.digits <= MOST_ON_PAGE:
        raise NoInkError
    return look


def _likely(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The parts that have the form of a digit."""
    return [part for part in parts if SMALLEST <= part.height <= 0.95 * shape[0] and part.width <= 4 * part.height]


def _strong(parts: list[Part], labels: np.ndarray, depth: np.ndarray, height: float) -> list[Part]:
    """The parts whose ink is not much weaker than is usual for digits."""
    flat = labels.ravel()
    depths = np.bincount(flat, depth.ravel().astype(np.float64)) / np.maximum(np.bincount(flat), 1)
    tall = [depths[part.labels[0]] for part in parts if part.height >= ALONE * height]
    least = float(np.median(tall)) if tall else 0.0
    return [
        part for part in parts if depths[part.labels[0]] >= least * (WEAKER if part.height >= ALONE * height else WEAK)
    ]


def _is_credible(line: Line, lines: list[Line], height: float, shape: tuple[int, ...]) -> bool:
    """Whether a line is one of digits, and neither cut off nor a speck beside other lines."""
    tall = len(line) > 1 or len(lines) == 1 or ALONE * height <= line[0].part.height <= height / ALONE
    return tall and not all(_touches(token.part, shape) for token in line)


def _touches(part: Part, shape: tuple[int, ...]) -> bool:
    return min(part.left, part.top, shape[1] - part.right, shape[0] - part.bottom) <= 0


def without_slivers(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The parts but for those at the left or right edge that are thinner than the strokes of the others."""
    inside = [part for part in parts if part.left > 0 and part.right < shape[1]]
    height = usual_height(inside)
    thick = sorted(part.area / (part.height + part.width) for part in inside if part.height >= height / 2)
    least = SLIVER * thick[len(thick) // 2] if thick else 0
    return [part for part in parts if part.width >= least or (part.left > 0 and part.right < shape[1])]


def own_ink(look: Look, part: Part) -> np.ndarray:
    """The ink of a part and its soft edges, without a margin, from the scan itself."""
    area = around(part.box, 1)
    labels = look.labels[area]
    own = np.isin(labels, part.labels)
    return trimmed(np.where(widened(own, 1) & (own | (labels == 0)), look.scan.ink[area], np.float32(0)))


def alone(look: Look, part: Part) -> np.ndarray:
    """The grey levels around one digit; all other ink is painted over with paper."""
    area = around(part.box, part.height // 4 + 2)
    levels, ink = look.scan.levels[look.scan.original(area)], look.scan.ink[area] > FAINT
    own = np.isin(look.labels[area], part.labels)
    others = widened(ink & ~own, 2) & ~own
    if not others.any():
        return levels
    others, paper = (_enlarged(mask, look.scan.factor, levels.shape) for mask in (others, ~ink))
    return np.where(others, np.uint8(np.median(levels[paper])), levels)


def _enlarged(mask: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]
