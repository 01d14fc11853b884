"""Rows of digits: how they are cut, and where they stand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.core.normalisation import normalised
from mnist_reader.digits import cut_digits
from mnist_reader.ink import NoInkError, cut_out
from tests.digits import render
from tests.mnist_reader.drawn import DIGITS, difference_of_shape, pasted


def assert_cut(cut, box, image, height, pixels, levels):
    """The cut stands in this box, and its ink differs little from the digit's alone."""
    assert np.abs(np.array(cut.box) - box).max() <= pixels
    alone = cut_out(pasted([image], height)[0])
    assert difference_of_shape(normalised(cut.ink), normalised(alone)) < levels


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("height", [14, 28, 60, 100, 250])
def test_a_row_is_cut_from_left_to_right_where_the_digits_were_pasted(height, light):
    rng = np.random.default_rng(height)
    for count in (2, 3, 4, 8) * 3:
        images = DIGITS[rng.integers(0, len(DIGITS), count)]
        gaps = rng.integers(-(-2 * height // 28) + 1, 20 * height // 28 + 2, count - 1).tolist()
        levels, boxes = pasted(images, height, gaps)
        for cut, box, image in zip(cut_digits(255 - levels if light else levels), boxes, images, strict=True):
            assert_cut(cut, box, image, height, 0.05 * height + 1, 32)  # the box is whole pixels


@pytest.mark.parametrize("lines", [False, True])
def test_a_small_row_in_a_large_picture_is_cut_from_the_original(lines):
    row, boxes = pasted(DIGITS[10:14], 40, [12, 20, 8])
    page = np.full((1200, 1600), 255, np.uint8)
    page[900 : 900 + row.shape[0], 700 : 700 + row.shape[1]] = row
    if lines:  # along all sides, so that the paper is looked for within them
        page[:100] = page[-10:] = page[:, :120] = page[:, -10:] = 0
    for cut, box, image in zip(cut_digits(page), boxes, DIGITS[10:14], strict=True):
        assert_cut(cut, np.add(box, (700, 900) * 2), image, 40, 5, 8)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", [28, 64, 400])
def test_a_single_digit_comes_out_byte_for_byte_as_by_cut_out(size, light):
    """Half of these touch two edges of their picture, and fill half of it."""
    for image in DIGITS[:60]:
        dark = np.asarray(render(image, size))
        levels = 255 - dark if light else dark
        (cut,) = cut_digits(levels)
        np.testing.assert_array_equal(cut.ink, cut_out(levels))


def test_specks_are_left_out():
    levels, boxes = pasted(DIGITS[10:13], 60, [40, 40])
    dirty, single = levels.copy(), pasted(DIGITS[15:16], 60)[0]
    for left, top in [(boxes[0][2] + 18, 70), (boxes[1][2] + 18, 40), (3, 100), (levels.shape[1] - 6, 20)]:
        dirty[top : top + 3, left : left + 3] = 0
    assert [cut.box for cut in cut_digits(dirty)] == [cut.box for cut in cut_digits(levels)]
    speck = single.copy()
    speck[3:6, 3:6] = 0
    assert difference_of_shape(normalised(cut_digits(speck)[0].ink), normalised(cut_out(single))) < 2


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_digit_with_a_gap_through_it_stays_one(share):
    """Its parts lie one above the other, so they share columns."""
    for image in DIGITS[10:20]:
        levels, (box,) = pasted([image], 60)
        levels[box[1] + round(share * 60)] = 255
        (cut,) = cut_digits(levels)
        assert_cut(cut, box, image, 60, 4, 12)


def fence():
    """More digits than a number has."""
    page = Image.new("L", (3000, 60), "white")
    for left in range(20, 2900, 40):
        ImageDraw.Draw(page).rectangle((left, 10, left + 8, 50), fill=0)
    return np.asarray(page)


@pytest.mark.parametrize("levels", [*(np.full((80, 120), level, np.uint8) for level in (0, 128, 255)), fence()])
def test_an_empty_picture_and_one_of_too_many_parts_have_no_digits(levels):
    with pytest.raises(NoInkError):
        cut_digits(levels)


def test_a_digit_at_the_edge_of_the_picture_says_so():
    levels, boxes = pasted(DIGITS[10:13], 60, [30, 30])
    assert [cut.at_edge for cut in cut_digits(levels)] == [False] * 3
    assert [cut.at_edge for cut in cut_digits(levels[:, boxes[0][0] :])] == [True, False, False]
