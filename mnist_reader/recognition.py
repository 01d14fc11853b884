"""A look at a picture → what the model says to each digit; what it is unsure of is tried in other ways."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import normalised
from mnist_reader.core.pixels import Shape
from mnist_reader.ink import NoInkError
from mnist_reader.layout import Token
from mnist_reader.looks import Box, Look
from mnist_reader.segmentation import Piece, cheapest, components, cost, pieces

WIDE = 0.55  # of its height; ink that is wider may be two digits,
VERY_WIDE = 1.2  # and an image whose ink is wider probably is
MOST_TRIED = 8  # digits of a picture; where more are unsure, it is no number
MOST_CUT = 4  # digits; where more are unsure and wide, none is cut
BETTER = 0.7  # less must digits cost that are cut than the uncut ink
TALLER = 1.05  # times the height of the others in its line is a slash,
LEANING = 0.22  # columns a row more than they do it leans to the right,
THIN = 0.18  # and its ink is no broader about this line, as a fraction of its length (standard deviations)
TURNS = (8, -8)  # degrees
WIDTH = 0.85  # times the width

Model = Callable[[np.ndarray], np.ndarray]  # uint8 images (n, rows, columns) → probabilities (n, classes)


class Recognised(NamedTuple):
    """One digit, as the model sees it."""

    image: np.ndarray  # uint8 (rows, columns)
    probabilities: np.ndarray  # float32 (classes,)
    box: Box  # pixels of the picture
    mark: str = ""  # ".", "," or "/", where one stands between this digit and the next
    doubtful: bool = False  # for its form or place; needs more confidence than others
    unsure: bool = False  # however confident the model is


def recognise(look: Look, model: Model, shape: Shape, least: float) -> list[list[Recognised]]:
    """What the model says to each digit of each line.

    A digit with a probability below `least` gets the mean over slight distortions of it, and is cut into several if it
    is wide and the model reads the pieces much better. It stays unsure.
    """
    inks = [(number, token, ink) for number, token, ink in _inks(look) if ink.size]
    if not inks:
        return []
    images = np.stack([normalised(ink, shape) for _, _, ink in inks])
    values = model(images)
    low = [value.max() < least for value in values]
    edges = [look.at_edge(token.part) for _, token, _ in inks]
    few = sum(low) <= MOST_TRIED
    cuts = sum(is_low and _is_wide(ink) for is_low, (_, _, ink) in zip(low, inks, strict=True)) <= MOST_CUT
    lines: list[list[Recognised]] = [[] for _ in look.lines]
    for (number, token, ink), image, value, is_low, edge in zip(inks, images, values, low, edges, strict=True):
        doubtful = (edge and len(inks) > 1) or _is_very_wide(image)
        unsure = is_low or token.spoilt or (edge and look.cropped)
        digit = Recognised(image, value, look.box(token.part), token.mark, doubtful, unsure)
        lines[number] += _tried(digit, ink, model, least, cuts) if is_low and few else [digit]
    if any(edges):
        lines = [_as_pattern(line) for line in lines]
    return [_with_slashes(line) for line in lines if line]


def _inks(look: Look) -> list[tuple[int, Token, np.ndarray]]:
    """(number of the line, digit, its ink) of all that are not too pale."""
    found = []
    for number, line in enumerate(look.lines):
        for token in line:
            try:
                found.append((number, token, look.ink(token.part)))
            except NoInkError:
                continue
    return found


def _is_very_wide(image: np.ndarray) -> bool:
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    return len(rows) > 0 and bool(np.ptp(columns) + 1 > VERY_WIDE * (np.ptp(rows) + 1))


def _as_pattern(line: list[Recognised]) -> list[Recognised]:
    """The line, unsure if it is one digit again and again: up to the picture's edge, stripes are that, and clothes."""
    same = len(line) > 1 and len({int(digit.probabilities.argmax()) for digit in line}) == 1
    return [digit._replace(unsure=True) for digit in line] if same else line


def _with_slashes(line: list[Recognised]) -> list[Recognised]:
    """The line without slashes between digits, which the model takes for ones; the digit before a slash is unsure."""
    kept: list[Recognised] = []
    for index, digit in enumerate(line):
        if 0 < index < len(line) - 1 and not kept[-1].mark and _is_slash(digit, line[:index] + line[index + 1 :]):
            kept[-1] = kept[-1]._replace(mark="/", unsure=True)
        else:
            kept.append(digit)
    return kept


def _is_slash(digit: Recognised, others: list[Recognised]) -> bool:
    """Whether a digit is a straight stroke that is taller than the others of its line and leans more."""
    if _height(digit) <= TALLER * np.median(list(map(_height, others))):
        return False
    lean, breadth = _lean(digit.image)
    return breadth <= THIN and bool(lean >= np.median([_lean(other.image)[0] for other in others]) + LEANING)


def _height(digit: Recognised) -> float:
    return digit.box[3] - digit.box[1]


def _lean(image: np.ndarray) -> tuple[float, float]:
    """How many columns a row the ink leans to the right, and how broad it is about this line, as a fraction."""
    rows, columns = image.shape
    y, x = np.mgrid[:rows, :columns] - np.array([rows / 2, columns / 2])[:, None, None]
    deep = float((image * y * y).sum())
    if not deep:
        return 0.0, 0.0
    lean = -float((image * x * y).sum()) / deep
    return lean, max(float((image * x * x).sum()) / deep - lean**2, 0.0) ** 0.5


def _is_wide(ink: np.ndarray) -> bool:
    return ink.shape[1] >= WIDE * ink.shape[0]


def _tried(digit: Recognised, ink: np.ndarray, model: Model, least: float, cuts: bool) -> list[Recognised]:
    """A digit that the model is unsure of, read in other ways: as one, or perhaps as several that are cut apart."""
    digit = digit._replace(probabilities=model(distorted(digit.image)).mean(axis=0))
    if digit.probabilities.max() >= least or not (cuts and _is_wide(ink)):
        return [digit]
    return _cut(digit, ink, model) or [digit]


def _cut(digit: Recognised, ink: np.ndarray, model: Model) -> list[Recognised]:
    """The digits into which the ink is cut best; none where that is not much better than the whole."""
    cuts, last = pieces(ink)
    parts = components(ink)
    options: list[Piece] = [*cuts, *parts]
    if not options:
        return []
    images = np.stack([normalised(option.ink, digit.image.shape) for option in options])
    values = model(images)
    costs = list(map(cost, values))
    price, way = cheapest([(cut.start, cut.stop, costs[index]) for index, cut in enumerate(cuts)], last)
    if parts and sum(costs[len(cuts) :]) < price:
        price, way = sum(costs[len(cuts) :]), list(range(len(cuts), len(options)))
    if len(way) < 2 or price > cost(digit.probabilities) - BETTER:
        return []
    left, top, right, bottom = digit.box
    across = (right - left) / ink.shape[1]
    boxes = [(left + options[index].left * across, top, left + options[index].right * across, bottom) for index in way]
    found = [
        digit._replace(image=images[index], probabilities=values[index], box=box, mark="")
        for index, box in zip(way, boxes, strict=True)
    ]
    return [*found[:-1], found[-1]._replace(mark=digit.mark)]


def distorted(image: np.ndarray) -> np.ndarray:
    """An image `uint8` `(rows, columns)` and four copies `(5, rows, columns)`: upright, turned both ways, narrower."""
    rows, columns = image.shape
    centre = np.array([columns / 2, rows / 2])
    maps = [[[1, -_lean(image)[0]], [0, 1]], [[1 / WIDTH, 0], [0, 1]]]
    for angle in np.radians(TURNS):
        maps.append([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    picture, copies = Image.fromarray(image), [image]
    for linear in map(np.array, maps):
        shift = centre - linear @ centre
        data = (*linear[0], shift[0], *linear[1], shift[1])
        copy = picture.transform((columns, rows), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
        copies.append(np.asarray(copy))
    return np.stack(copies)
