"""A close look: where the digits of a row stand, and their ink."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.core.normalisation import normalised
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.looks import close_look
from tests.digits import render
from tests.mnist_reader.drawn import DIGITS, difference_of_shape, inks, pasted, row


def boxes_of(levels):
    look, parts = row(levels)
    return [look.box(part) for part in parts]


def assert_read_off(ink, image, height, levels):
    """The ink differs little from that of the digit alone."""
    alone = cut_out(pasted([image], height)[0])
    assert difference_of_shape(normalised(ink), normalised(alone)) < levels


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("height", [14, 28, 60, 100, 250])
def test_the_digits_of_a_row_are_found_from_left_to_right_where_they_were_pasted(height, light):
    rng = np.random.default_rng(height)
    for count in (2, 3, 4, 8) * 3:
        images = DIGITS[rng.integers(0, len(DIGITS), count)]
        gaps = rng.integers(-(-2 * height // 28) + 1, 20 * height // 28 + 2, count - 1).tolist()
        levels, boxes = pasted(images, height, gaps)
        levels = 255 - levels if light else levels
        assert np.abs(np.subtract(boxes_of(levels), boxes)).max() <= 0.05 * height + 1  # the box is whole pixels
        for ink, image in zip(inks(levels), images, strict=True):
            assert_read_off(ink, image, height, 32)


@pytest.mark.parametrize("lines", [False, True])
def test_the_ink_of_a_small_row_in_a_large_picture_comes_from_the_original(lines):
    small, boxes = pasted(DIGITS[10:14], 40, [12, 20, 8])
    page = np.full((1200, 1600), 255, np.uint8)
    page[900 : 900 + small.shape[0], 700 : 700 + small.shape[1]] = small
    if lines:  # along all sides, so that the paper is looked for within them
        page[:100] = page[-10:] = page[:, :120] = page[:, -10:] = 0
    look, _ = row(page)
    assert (look.coarse, look.framed) == (True, lines)
    assert np.abs(np.subtract(boxes_of(page), np.add(boxes, (700, 900) * 2))).max() <= look.scan.factor
    for ink, image in zip(inks(page), DIGITS[10:14], strict=True):
        assert_read_off(ink, image, 40, 16)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", [28, 64, 400])
def test_the_ink_of_a_single_digit_is_byte_for_byte_that_of_cut_out(size, light):
    """Half of these touch two edges of their picture, and fill half of it."""
    for image in DIGITS[:60]:
        dark = np.asarray(render(image, size))
        levels = 255 - dark if light else dark
        (ink,) = inks(levels)
        np.testing.assert_array_equal(ink, cut_out(levels))


def test_specks_are_left_out():
    levels, boxes = pasted(DIGITS[10:13], 60, [40, 40])
    dirty, single = levels.copy(), pasted(DIGITS[15:16], 60)[0]
    for left, top in [(boxes[0][2] + 18, 70), (boxes[1][2] + 18, 40), (3, 100), (levels.shape[1] - 6, 20)]:
        dirty[top : top + 3, left : left + 3] = 0
    assert boxes_of(dirty) == boxes_of(levels)
    speck = single.copy()
    speck[3:6, 3:6] = 0
    assert difference_of_shape(normalised(inks(speck)[0]), normalised(cut_out(single))) < 2


@pytest.mark.parametrize("share", [0.15, 0.2, 0.25, 0.75, 0.8, 0.85])
def test_a_digit_with_a_gap_near_its_head_or_foot_stays_one(share):
    for image in DIGITS[10:20]:
        levels, boxes = pasted([image], 60)
        levels[boxes[0][1] + round(share * 60)] = 255
        assert np.abs(np.subtract(boxes_of(levels), boxes)).max() <= 4
        assert_read_off(inks(levels)[0], image, 60, 12)


def fence():
    """More digits than a number has."""
    page = Image.new("L", (3000, 60), "white")
    for left in range(20, 2900, 40):
        ImageDraw.Draw(page).rectangle((left, 10, left + 8, 50), fill=0)
    return np.asarray(page)


@pytest.mark.parametrize("levels", [*(np.full((80, 120), level, np.uint8) for level in (0, 128, 255)), fence()])
def test_an_empty_picture_and_one_of_too_many_parts_have_no_digits(levels):
    with pytest.raises(NoInkError):
        close_look(levels)


def test_a_digit_at_the_edge_of_the_picture_says_so():
    levels, boxes = pasted(DIGITS[10:13], 60, [30, 30])
    for left, expected in [(0, [False] * 3), (boxes[0][0], [True, False, False])]:
        look, parts = row(levels[:, left:])
        assert [look.at_edge(part) for part in parts] == expected
