"""Connected parts of ink → lines of digits, and the points and commas between them."""

from typing import NamedTuple

import numpy as np

from mnist_reader.strokes import Part

# All but SHARED and SPECK in heights of a digit.
TALL = 0.4  # a part that is less tall is a piece of a digit, a mark or a speck,
LOW, NARROW = 0.55, 0.3  # and so is one that is less tall and less wide than this
TALLEST, WIDEST = 2.5, 4.0  # larger parts are no digits
ALIKE = 0.6  # digits of one page are as tall, or not taller than its inverse
STACKED = 1.3  # a digit is no taller, if one of its pieces lies above another
NEAR = 0.18  # pieces of a digit are no farther apart
AROUND, UNDER = 0.4, 0.3  # other ink makes a digit doubtful, if it is no farther beside or above it, or below
APART = 0.7  # the middles of lines that do not slope are farther apart,
BAND = 1.2  # and those of the digits in one of them differ by no more
SLOPE = 0.6  # the middles of neighbours in a line that slopes differ by no more
POINT, MARK = 0.09, 0.5  # the sides of a point or comma
ABOVE, BELOW = 0.35, 0.05  # a mark begins no higher above the foot of its line, and no deeper
COMMA = 0.06  # a comma reaches deeper below the foot
GAP = 1.2  # digits with a mark between them are no farther apart
SHARED = 0.5  # of the narrower part's columns; pieces of a digit share more
SPECK = 0.05  # of the digit's area; less ink is dirt
MOST_PIECES = 600  # and marks; smaller ones are not looked at


class Token(NamedTuple):
    """A digit in its line."""

    part: Part
    mark: str = ""  # "." or ",", where one stands between this digit and the next
    spoilt: bool = False  # near it is ink that is neither a piece of a digit nor a mark


Line = list[Token]


def usual_height(parts: list[Part]) -> float:
    """The height of a digit: the median, in which each part counts as much as its height squared; 0 without parts."""
    ordered = sorted(parts, key=lambda part: part.height)
    left = sum(part.height**2 for part in ordered) / 2
    for part in ordered:
        left -= part.height**2
        if left <= 0:
            return float(part.height)
    return 0.0


def lines_of(parts: list[Part], height: float) -> list[Line]:
    """The lines of digits of about this height in pixels, from top to bottom, each from left to right."""
    parts = [part for part in parts if is_sized(part, height)]
    lines = _in_lines(_joined([part for part in parts if is_tall(part, height)], height), height)
    if lines:
        _place([part for part in parts if not is_tall(part, height)][:MOST_PIECES], lines, height)
    return lines


def is_sized(part: Part, height: float) -> bool:
    """Whether a part is not too large for a digit of this height."""
    return part.height <= TALLEST * height and part.width <= WIDEST * height


def is_digit(part: Part, height: float) -> bool:
    """Whether a part has the size of the digits whose usual height this is."""
    return ALIKE <= part.height / height <= 1 / ALIKE and part.width <= WIDEST * height


def is_tall(part: Part, height: float) -> bool:
    """Whether a part may be a digit for its size, and is no piece of one, mark or speck."""
    return part.height >= (LOW if part.width <= NARROW * height else TALL) * height


def _joined(parts: list[Part], height: float) -> list[Part]:
    """The parts, those that lie above one another as one, from left to right."""
    done: list[Part] = []
    open_: list[Part] = []  # those that reach as far as the next part
    for part in sorted(parts, key=lambda part: part.left):
        done += [digit for digit in open_ if digit.right <= part.left]
        open_ = [digit for digit in open_ if digit.right > part.left]
        for index, digit in enumerate(open_):
            if _apart(digit, part) <= NEAR * height and _shares(digit, part):
                both = digit.joined(part)
                if both.height <= STACKED * max(height, digit.height, part.height):
                    open_[index] = both
                    break
        else:
            open_.append(part)
    return done + open_


def _shares(one: Part, other: Part) -> bool:
    return -one.gap(other) > SHARED * min(one.width, other.width)


def _apart(one: Part, other: Part) -> int:
    """Pixels between two boxes, along the rows or the columns; 0 where they overlap."""
    return max(0, one.gap(other), max(one.top, other.top) - min(one.bottom, other.bottom))


def _in_lines(digits: list[Part], height: float) -> list[Line]:
    """Digits whose middles lie close are a line; where that makes a band of several, each goes on from the one before.

    Only lines that slope make such bands.
    """
    bands: list[list[Part]] = []
    for digit in sorted(digits, key=_middle):
        if bands and _middle(digit) - _middle(bands[-1][-1]) <= APART * height:
            bands[-1].append(digit)
        else:
            bands.append([digit])
    lines: list[Line] = []
    for band in bands:
        deep = _middle(band[-1]) - _middle(band[0])
        lines += _chained(band, height * (SLOPE if deep > BAND * height else BAND))
    return sorted(lines, key=lambda line: sum(_middle(token.part) for token in line) / len(line))


def _chained(digits: list[Part], reach: float) -> list[Line]:
    """Lines in which each digit's middle is no more than `reach` above or below that of the one before."""
    lines: list[Line] = []
    for digit in sorted(digits, key=lambda part: part.left + part.right):
        steps = [abs(_middle(line[-1].part) - _middle(digit)) for line in lines]
        if steps and min(steps) <= reach:
            lines[steps.index(min(steps))].append(Token(digit))
        else:
            lines.append([Token(digit)])
    return lines


def _middle(part: Part) -> float:
    return (part.top + part.bottom) / 2


def _place(pieces: list[Part], lines: list[Line], height: float) -> None:
    """Take each small part for a mark, join it to the nearest digit if it is near, or say that it spoils it."""
    places = [(line, index) for line in lines for index in range(len(line))]
    boxes = np.array([line[index].part[1:5] for line, index in places])
    top, left, bottom, right = boxes.T  # of all digits
    for piece in pieces:
        across = np.maximum(left - piece.right, piece.left - right)
        down = np.maximum(top - piece.bottom, piece.top - bottom)
        nearest = int(np.maximum(np.maximum(across, down), 0).argmin())
        line, index = places[nearest]
        part, apart = line[index].part, _apart(line[index].part, piece)
        own = slice(nearest - index, nearest - index + len(line))
        before = np.count_nonzero(left[own] + right[own] < piece.left + piece.right)
        if mark := _mark(piece, line[before - 1 : before + 1], height) if before else "":
            line[before - 1] = line[before - 1]._replace(mark=mark)
        elif apart <= NEAR * height:
            line[index] = line[index]._replace(part=part.joined(piece))
            boxes[nearest] = line[index].part[1:5]
        elif piece.area > SPECK * part.area and apart <= height * (AROUND if piece.top < part.bottom else UNDER):
            line[index] = line[index]._replace(spoilt=True)


def _mark(piece: Part, neighbours: Line, height: float) -> str:
    """The mark that a small part is between its neighbours in the line; empty if it is none."""
    if len(neighbours) < 2 or any(_shares(token.part, piece) for token in neighbours):
        return ""
    left, right = (token.part for token in neighbours)
    foot, sides = (left.bottom + right.bottom) / 2, sorted((piece.height, piece.width))
    sized = POINT * height <= sides[0] and sides[1] <= MARK * height
    placed = foot - ABOVE * height < piece.top < foot + BELOW * height
    if not (sized and placed and left.gap(right) <= GAP * height):
        return ""
    return "," if piece.bottom > foot + COMMA * height else "."
