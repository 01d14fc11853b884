"""A picture → the digits that stand in it, from left to right."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.components import Component, components
from mnist_reader.core.normalisation import FAINT
from mnist_reader.ink import SPECK, WORK, NoInkError, clean, cut_out, find_ink, widened
from mnist_reader.lines import inside, without_lines

WIDE = 8 * WORK  # pixels; a row of digits is looked at in a copy no wider than this
SMALL = 32  # pixels; digits less tall than this in a reduced copy are looked at again in the original
TALL = 0.5  # of the tallest; shorter parts join a neighbour, where one is near
NEAR = 0.15  # of the tallest; parts no farther apart than this may be one digit
TOGETHER = 0.5  # of the narrower; parts that share more columns are one digit
EDGE = 0.04  # of the shorter side; a pixel of 28
MOST = 64  # digits in one picture; more are no number


Box = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the picture's sides


class Cut(NamedTuple):
    """The ink of one digit, and where it stands."""

    ink: np.ndarray  # float32 (rows, columns) in 0–1, no margin
    box: Box
    at_edge: bool = False  # of the picture, or of what lies within the lines along its sides


def cuts(levels: np.ndarray, closer: bool = True) -> list[Cut]:
    """Cut every digit out of grey levels `uint8` `(rows, columns)`.

    A single digit comes out as by `mnist_reader.ink.cut_out`. With `closer` those that are small in a large picture
    are looked at a second time.

    Raises:
        NoInkError: no ink but lines, or more than MOST digits.
    """
    whole, levels = levels.shape, levels[area := inside(levels)]
    factor = _factor(levels.shape)
    ink = clean(find_ink(np.asarray(Image.fromarray(levels).reduce(factor)) if factor > 1 else levels))
    mask = ink > FAINT
    solid = without_lines(mask, bordered=levels.shape != whole)
    labels, parts = components(solid)
    groups = grouped(parts)
    if not 1 <= len(groups) <= MOST:
        raise NoInkError
    if len(groups) == 1 and solid is mask:
        found = [Cut(cut_out(levels), _box(groups[0], ink.shape))]
    elif closer and factor > 1 and max(part.height for part in parts) < SMALL:
        return _closer(levels, groups, factor)
    else:
        found = [_cut(levels, mask, np.isin(labels, [part.label for part in group]), group, factor) for group in groups]
    if not (found := [cut for cut in found if cut.ink.any()]):
        raise NoInkError
    return [Cut(cut.ink, _within(cut.box, area, whole), _at_edge(cut.box, levels.shape)) for cut in found]


def _at_edge(box: Box, shape: tuple[int, ...]) -> bool:
    rows, columns = shape
    left, top, right, bottom = box
    return min(left * columns, top * rows, (1 - right) * columns, (1 - bottom) * rows) < EDGE * min(shape)


def _closer(levels: np.ndarray, groups: list[list[Component]], factor: int) -> list[Cut]:
    """Cut digits out of the part of the original in which they were found, with a margin of half their height."""
    rows, columns = _extent([part for group in groups for part in group])
    margin = (rows.stop - rows.start) // 2 + 2
    spans = ((max(0, span.start - margin) * factor, (span.stop + margin) * factor) for span in (rows, columns))
    area = tuple(slice(start, min(stop, size)) for (start, stop), size in zip(spans, levels.shape, strict=True))
    return [cut._replace(box=_within(cut.box, area, levels.shape)) for cut in cuts(levels[area], closer=False)]


def _within(box: Box, area: tuple[slice, ...], shape: tuple[int, ...]) -> Box:
    """A box within a part of a picture as a box within the whole, which has this shape."""
    (rows, columns), (height, width) = area, shape
    across, down = (columns.stop - columns.start) / width, (rows.stop - rows.start) / height
    left, top = columns.start / width, rows.start / height
    return left + box[0] * across, top + box[1] * down, left + box[2] * across, top + box[3] * down


def _factor(shape: tuple[int, ...]) -> int:
    rows, columns = shape
    return max(1, -(-max(rows, min(columns, 2 * rows)) // WORK), -(-columns // WIDE))


def grouped(parts: list[Component]) -> list[list[Component]]:
    """The parts of each digit, from left to right; specks are left out."""
    total, tallest = sum(part.area for part in parts), max((part.height for part in parts), default=0)
    large = sorted((part for part in parts if part.height >= TALL * tallest), key=lambda part: part.left)
    groups: list[list[Component]] = []
    for part in large:
        if groups and _shared(groups[-1], part) > TOGETHER:
            groups[-1].append(part)
        else:
            groups.append([part])
    for part in parts:
        if part.height >= TALL * tallest:
            continue
        near = min(groups, key=lambda group: _gap(group, part))
        if _gap(near, part) <= NEAR * tallest:
            near.append(part)
        elif part.area > SPECK * total:
            groups.append([part])
    return sorted(groups, key=lambda group: min(part.left for part in group))


def _span(group: list[Component]) -> tuple[int, int]:
    return min(part.left for part in group), max(part.right for part in group)


def _gap(group: list[Component], part: Component) -> int:
    left, right = _span(group)
    return max(left - part.right, part.left - right)


def _shared(group: list[Component], part: Component) -> float:
    """Columns that both fill, as a fraction of the narrower."""
    left, right = _span(group)
    return -_gap(group, part) / min(right - left, part.width)


def _cut(levels: np.ndarray, ink: np.ndarray, own: np.ndarray, group: list[Component], factor: int) -> Cut:
    """Cut out one digit, whose pixels are `own`, as if it stood alone: all other `ink` is painted over with paper."""
    rows, columns = _extent(group)
    margin = (rows.stop - rows.start) // 4 + 2
    area = tuple(slice(max(0, part.start - margin), part.stop + margin) for part in (rows, columns))
    others = widened(ink[area] & ~own[area], 2) & ~own[area]
    part = levels[tuple(slice(side.start * factor, side.stop * factor) for side in area)]
    if others.any():
        others, paper = (_enlarged(mask, factor, part.shape) for mask in (others, ~ink[area]))
        part = np.where(others, np.uint8(np.median(part[paper])), part)
    try:
        return Cut(cut_out(part), _box(group, ink.shape))
    except NoInkError:  # too pale once it stands alone
        return Cut(np.zeros((1, 1), np.float32), _box(group, ink.shape))


def _enlarged(mask: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def _extent(group: list[Component]) -> tuple[slice, slice]:
    left, right = _span(group)
    return slice(min(part.top for part in group), max(part.bottom for part in group)), slice(left, right)


def _box(group: list[Component], shape: tuple[int, ...]) -> Box:
    rows, columns = _extent(group)
    return columns.start / shape[1], rows.start / shape[0], columns.stop / shape[1], rows.stop / shape[0]
