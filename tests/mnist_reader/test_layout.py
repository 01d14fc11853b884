"""Parts of ink, as boxes, become lines of digits with points and commas. A digit here is 60 pixels high."""

import numpy as np
import pytest

from mnist_reader.layout import lines_of, usual_height
from mnist_reader.strokes import Part

HEIGHT = 60


def part(number, left, top, width=36, height=HEIGHT, share=0.3):
    """A box, of which ink fills this share."""
    return Part((number,), top, left, top + height, left + width, round(share * width * height))


def digits(*places):
    """Digits with these left upper corners, numbered from 1."""
    return [part(number, *place) for number, place in enumerate(places, start=1)]


def read(parts, height=HEIGHT):
    """The numbers of the parts in each line; those that were joined side by side, with a mark after them."""
    return [
        [f"{'+'.join(map(str, sorted(token.part.labels)))}{token.mark}" for token in line]
        for line in lines_of(parts, height)
    ]


def spoilt(parts):
    return [token.spoilt for line in lines_of(parts, HEIGHT) for token in line]


def shuffled(parts):
    return [parts[index] for index in np.random.default_rng(0).permutation(len(parts))]


@pytest.mark.parametrize("heights", [[60], [5] * 20 + [50, 52, 60], [3, 4, 9, 10, 11, 12], [40, 41, 200]])
def test_the_usual_height_is_the_median_in_which_tall_parts_count_more(heights):
    squares = np.repeat(heights, np.square(heights))
    parts = [part(number, 0, 0, height=height) for number, height in enumerate(heights)]
    assert usual_height(shuffled(parts)) == np.quantile(squares, 0.5, method="inverted_cdf")


def test_without_parts_there_is_no_usual_height():
    assert usual_height([]) == 0


def test_a_row_is_one_line_from_left_to_right():
    row = digits(*((60 * number, 100 + rise) for number, rise in enumerate([0, 14, -12, 8, 0])))
    assert read(shuffled(row)) == [["1", "2", "3", "4", "5"]]


@pytest.mark.parametrize("apart", [70, 90, 200])
def test_lines_below_one_another_are_read_from_top_to_bottom(apart):
    lines = digits(*((60 * column, apart * row) for row in range(3) for column in range(3 - row)))
    assert read(shuffled(lines)) == [["1", "2", "3"], ["4", "5"], ["6"]]


@pytest.mark.parametrize("slope", [-0.4, -0.1, 0.1, 0.4])
def test_lines_that_slope_stay_lines(slope):
    """Over twelve digits, so that one line ends far above or below where it begins; the upper one begins later."""
    places = [(60 * column, 110 * row) for row in (0, 1) for column in range(2 - 2 * row, 12)]
    lines = digits(*((left, round(400 + top + slope * left)) for left, top in places))
    numbers = list(map(str, range(1, 23)))
    assert read(shuffled(lines)) == [numbers[:10], numbers[10:]]


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, 100, 36, 12), (4, 116, 30, 44)],  # a five whose bar stands apart
        [(0, 100, 36, 40), (6, 144, 30, 16)],  # a foot that broke off
        [(0, 100, 30, 60), (34, 120, 10, 20)],  # a piece at the side
        [(0, 100, 36, 34), (2, 138, 34, 22)],  # almost halves
    ],
)
def test_the_pieces_of_a_broken_digit_are_one(pieces):
    row = [part(number, *piece) for number, piece in enumerate(pieces, start=1)] + [part(3, 80, 100), part(4, 140, 100)]
    assert read(shuffled(row)) == [["1+2", "3", "4"]]


def test_digits_of_two_lines_that_almost_touch_are_two():
    assert read(digits((0, 100), (0, 162), (60, 100), (60, 162))) == [["1", "3"], ["2", "4"]]


@pytest.mark.parametrize(
    ("mark", "size", "top"),
    [
        (".", (8, 8), 150),
        (".", (10, 9), 153),
        (".", (9, 14), 146),
        (",", (9, 22), 148),
        (",", (14, 20), 150),
        (",", (12, 28), 145),
    ],
)
def test_a_point_and_a_comma_are_marks_of_the_digit_before_them(mark, size, top):
    row = [*digits((0, 100), (60, 100), (120, 100)), part(9, 102, top, *size, share=0.8)]
    assert read(shuffled(row)) == [["1", f"2{mark}", "3"]]
    assert spoilt(row) == [False] * 3


@pytest.mark.parametrize(
    "place",
    [
        (102, 110, 8, 8),  # as high as the digits' heads
        (102, 164, 8, 8),  # below the line
        (165, 150, 8, 8),  # after the last digit
        (70, 166, 8, 8),  # under a digit
        (102, 155, 3, 3),  # a speck
    ],
)
def test_what_stands_elsewhere_is_no_mark(place):
    row = [*digits((0, 100), (60, 100), (120, 100)), part(9, *place, share=0.8)]
    assert "".join("".join(line) for line in read(row)).strip("0123456789+") == ""


def test_digits_far_apart_have_no_mark_between_them():
    assert read([*digits((0, 100), (140, 100)), part(9, 80, 150, 8, 8)]) == [["1", "2"]]


def test_each_line_has_its_own_marks():
    lines = [*digits((0, 100), (60, 100), (0, 220), (60, 220)), part(8, 44, 152, 8, 8), part(9, 44, 270, 8, 22)]
    assert read(shuffled(lines)) == [["1.", "2"], ["3,", "4"]]


def test_specks_change_nothing_and_larger_dirt_beside_a_digit_spoils_it():
    row = digits((0, 100), (80, 100), (160, 100))
    assert (
        spoilt([*row, *(part(9, left, top, 3, 3) for left, top in [(46, 110), (128, 90), (210, 150)])]) == [False] * 3
    )
    assert spoilt([*row, part(9, 98, 175, 25, 10, share=0.8)]) == [False, True, False]


def test_what_is_far_larger_than_digits_is_left_out():
    assert read([*digits((0, 100), (60, 100)), part(9, 0, 300, 400, 40), part(10, 600, 0, 30, 300)]) == [["1", "2"]]


def test_specks_alone_are_no_line():
    assert lines_of([part(1, 10, 10, 5, 5), part(2, 60, 30, 4, 4)], HEIGHT) == []
