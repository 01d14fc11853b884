"""What a reading says of its lines of digits, and where they stand on a page that was turned."""

import math

import numpy as np
import pytest

from mnist_reader.reading import Digit, Reading, pixels

SIZE = (400, 250)  # width and height of the picture


def digit(label="7", box=(0.0, 0.0, 1.0, 1.0), size=SIZE, **values):
    one = Digit(label, 0.9, "1", 0.1, box, pixels(box, size), False, (), np.zeros((28, 28), np.uint8))
    return one._replace(**values)


def line(text):
    """The digits of a text with points and commas."""
    digits = []
    for sign in text:
        if sign in ".,":
            digits[-1] = digits[-1]._replace(mark=sign)
        else:
            digits.append(digit(sign))
    return tuple(digits)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2026", "2026"),
        ("1,528", "1528"),
        ("21,000,528", "21000528"),
        ("24.12.2026", "24.12.2026"),
        ("3,5", "3,5"),
        ("1.528", "1.528"),
        ("1528,000", "1528,000"),
        ("1,52,800", "1,52,800"),
        ("1,528.5", "1,528.5"),
    ],
)
def test_points_and_commas_are_kept_but_for_commas_that_group_thousands(written, text):
    assert Reading((line(written),)).text == text


def test_lines_are_below_one_another_in_the_text_and_one_after_another_in_the_digits():
    reading = Reading((line("12"), line("3,5"), line("1,528")))
    assert reading.text == "12\n3,5\n1528"
    assert "".join(one.label for one in reading.digits) == "12351528"


def test_the_confidence_is_the_product_of_the_digits():
    shares = [0.9, 0.5, 0.25]
    reading = Reading((tuple(digit(confidence=share) for share in shares), (digit(confidence=0.8),)))
    assert reading.confidence == pytest.approx(math.prod([*shares, 0.8]))


@pytest.mark.parametrize(
    ("lines", "more", "unsure", "empty"),
    [
        ((), False, True, True),
        (((),), False, True, True),
        ((line("12"),), False, False, False),
        ((line("12"),), True, True, False),
        ((line("12"), (digit(), digit(unsure=True))), False, True, False),
    ],
)
def test_nobody_should_trust_an_empty_reading_an_unsure_digit_or_one_among_other_things(lines, more, unsure, empty):
    reading = Reading(lines, more=more)
    assert (reading.unsure, reading.empty) == (unsure, empty)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_boxes_of_a_turned_page_are_those_of_the_picture_as_it_is(quarters):
    width, height = SIZE
    picture = np.zeros((height, width), bool)
    picture[30:90, 50:70] = True
    turned = np.rot90(picture, quarters)
    rows, columns = (np.flatnonzero(turned.any(axis=axis)) for axis in (1, 0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / (turned.shape[::-1] * 2)
    found = digit(box=tuple(box.tolist()), size=turned.shape[::-1], mark=",")
    reading = Reading(((found,), (digit(), digit()))).turned_back(quarters, SIZE)
    back = reading.digits[0]
    assert back.pixels == (50, 30, 70, 90)
    assert back.box == pytest.approx((50 / width, 30 / height, 70 / width, 90 / height))
    assert [len(row) for row in reading.lines] == [1, 2]
    assert back._replace(box=found.box, pixels=found.pixels) == found
    clockwise = np.rot90(picture, -reading.turned // 90)
    np.testing.assert_array_equal(clockwise, turned)


def test_pixels_are_the_nearest_whole_ones():
    assert pixels((0.0, 0.1, 0.26, 1.0), (10, 15)) == (0, 2, 3, 15)
