"""The look from afar, for a page in any light: lines of digits, without rules, frames, edges and blots."""

import numpy as np

from mnist_reader.ink import NoInkError, TooManyError
from mnist_reader.layout import Line, Token, is_digit, is_tall, lines_of, usual_height
from mnist_reader.light import page_scan
from mnist_reader.looks import Look, without_slivers
from mnist_reader.rules import without_rules
from mnist_reader.strokes import Part, connected_parts, sides

MOST = 800  # digits
FEWEST = 64  # digits; a page may hold as many, and more only if
LEGIBLE = 1000  # pixels of it are there for each; a page of small digits and wide gaps has 1,500
PIECES = 2  # as many parts as digits are tall; more are no broken digits
STRONG = 0.4  # of full ink; paler pixels do not connect parts
SMALLEST = 6  # pixels; a digit is taller
LONGEST = 0.95  # of the page's height; a digit is less tall
BROADEST = 4  # times its height; a digit is less wide
GRID = 0.8  # of the page both ways; ink that hangs together over more is squared paper, which digits touch
USUAL = 1 / 25  # of the longer side is the height of a digit, as long as nothing is known of it
WEAK = 0.4  # of the usual depth of ink; a part with less is dirt
ALONE = 0.6  # of the usual height; a digit alone in its line, or at the edge, is at least as tall
SOLID = 0.8  # of its box; a part as tall as a digit that fills more, and is no 1, is a blot
INSIDE = 0.3  # of its height; a part that has others inside with more height in all is a frame, or a table,
HOLLOW = 0.5  # of its box; if it fills no more,
BOX = 0.95  # of each of its sides; and so is a part with ink along as much


def page_look(levels: np.ndarray) -> Look:
    """Look for lines of digits in grey levels `uint8` `(rows, columns)` of a page in any light.

    Raises:
        NoInkError: nothing that could be digits.
        TooManyError: more than MOST of it, or than can be legible on so few pixels.
    """
    most = min(MOST, max(FEWEST, levels.size // LEGIBLE))
    scanned = page_scan(levels)
    shape = scanned.ink.shape
    labels, parts, touching = without_lines(scanned.ink > STRONG)
    height = usual_height([part for part in _likely(parts, shape) if part.margin(shape) > 0])
    kept = [part for part in parts if _is_kept(part, height, shape)]
    strong = _strong(kept, labels, scanned.depth, height)
    if sum(is_tall(part, height) for part in strong) > PIECES * most:
        raise TooManyError
    pale = any(is_digit(part, height) for part in set(kept) - set(strong))
    lines = lines_of(strong, height)
    lines = [line for line in lines if _is_credible(line, lines, height, shape)]
    look = Look(scanned, labels, [[_spoilt(token, touching) for token in line] for line in lines], page=True, more=pale)
    if not look.digits:
        raise NoInkError
    if look.digits > most:
        raise TooManyError
    return look


def without_lines(mask: np.ndarray) -> tuple[np.ndarray, list[Part], np.ndarray]:
    """The parts of the ink of a page but for rules, frames, tables, and strokes that the page's side cuts off.

    Returns:
        Labels and parts as of `connected_parts`, and for each label whether its ink touched a frame.

    Raises:
        NoInkError: there is nothing else.
    """
    labels, parts = connected_parts(mask)
    if any(part.height > GRID * mask.shape[0] and part.width > GRID * mask.shape[1] for part in parts[:1]):
        labels, parts = connected_parts(without_rules(mask, max(mask.shape) * USUAL, np.zeros_like(mask)))
    frames = frames_of(parts, labels)
    height = usual_height(_likely([part for part in parts if part not in frames], mask.shape))
    if not height:
        raise NoInkError
    framed = np.isin(labels, [part.labels[0] for part in frames])
    labels, parts = connected_parts(without_rules(labels > 0, height, framed))
    touching = np.bincount(labels.ravel(), framed.ravel()) > 0
    tall = [part for part in parts if part.height >= ALONE * height or not touching[part.labels[0]]]
    return labels, without_slivers(tall, mask.shape), touching


def _spoilt(token: Token, touching: np.ndarray) -> Token:
    """A digit that touched a frame may be a piece of it."""
    return token._replace(spoilt=token.spoilt or bool(touching[token.part.labels[0]]))


def frames_of(parts: list[Part], labels: np.ndarray) -> set[Part]:
    """The parts that are drawn around others, and empty boxes: frames, cells and tables."""
    corners = np.array([(part.top, part.left, -part.bottom, -part.right) for part in parts])
    heights = np.array([part.height for part in parts])
    found = set()
    for part, corner in zip(parts, corners, strict=True):
        if part.height >= SMALLEST and part.area <= HOLLOW * part.height * part.width:
            inside = (corners > corner).all(axis=1) & (heights >= SMALLEST)
            if heights[inside].sum() >= INSIDE * part.height or min(sides(part, labels)) >= BOX:
                found.add(part)
    return found


def _is_kept(part: Part, height: float, shape: tuple[int, ...]) -> bool:
    """Whether a part may be a digit, or a piece of one or a mark inside the page."""
    tall = part.height >= ALONE * height
    if part.margin(shape) <= 0:
        return tall and max(part.height, part.width) <= height / ALONE
    blot = tall and part.width >= part.height / 2 and part.area >= SOLID * part.height * part.width
    return not blot


def _likely(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The parts that have the form of a digit."""
    return [
        part for part in parts if SMALLEST <= part.height <= LONGEST * shape[0] and part.width <= BROADEST * part.height
    ]


def _strong(parts: list[Part], labels: np.ndarray, depth: np.ndarray, height: float) -> list[Part]:
    """The parts whose ink is not much weaker than is usual for digits."""
    flat = labels.ravel()
    depths = np.bincount(flat, depth.ravel().astype(np.float64)) / np.maximum(np.bincount(flat), 1)
    tall = [depths[part.labels[0]] for part in parts if part.height >= ALONE * height]
    usual = float(np.median(tall)) if tall else 0.0
    return [part for part in parts if depths[part.labels[0]] >= WEAK * usual]


def _is_credible(line: Line, lines: list[Line], height: float, shape: tuple[int, ...]) -> bool:
    """Whether a line is one of digits, and neither cut off nor a speck beside other lines."""
    tall = len(line) > 1 or len(lines) == 1 or ALONE * height <= line[0].part.height <= height / ALONE
    return tall and any(token.part.margin(shape) > 0 for token in line)
