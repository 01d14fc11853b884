"""Rows of digits, drawn here with Pillow: how they are cut, and where they stand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from mnist_reader.core.normalisation import normalised
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.line import cuts
from tests.digits import render

DIGITS = load_digits().images
BICUBIC = Image.Resampling.BICUBIC


def tight(image, height):
    """An 8×8 image in 0–16 without its margin, enlarged to this height: `uint8`, 255 = ink."""
    ink = np.rint(image * (255 / 16)).astype(np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(Image.fromarray(ink).resize((round(ink.shape[1] * height / ink.shape[0]), height), BICUBIC))


def pasted(images, height, gaps):
    """The images in a row on white paper, `gaps` apart.

    Returns:
        Grey levels, and a box of left, top, right and bottom in pixels for each, without its palest edges.
    """
    inks = [tight(image, height) for image in images]
    page = np.full((2 * height, sum(ink.shape[1] for ink in inks) + sum(gaps) + height), 255, np.uint8)
    boxes, left = [], height // 2
    for ink, gap in zip(inks, [*gaps, 0], strict=True):
        page[height // 2 : height // 2 + height, left : left + ink.shape[1]] = 255 - ink
        rows, columns = (np.flatnonzero((ink > 255 / 4).any(axis=axis)) for axis in (1, 0))
        top = height // 2
        boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
        left += ink.shape[1] + gap
    return page, boxes


def in_pixels(cut, levels):
    return np.array(cut.box) * np.tile(levels.shape[::-1], 2)


def difference(one, other):
    """Mean difference in grey levels over the ink of two images 28×28; one may lie a pixel beside the other."""
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    rolled = [np.roll(one, step, axis=(0, 1)).astype(int) for step in steps]
    return min(np.abs(image - other)[(image > 0) | (other > 0)].mean() for image in rolled)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("height", [14, 28, 60, 100, 250])
def test_a_row_is_cut_from_left_to_right_where_the_digits_were_pasted(height, light):
    rng = np.random.default_rng(height)
    for count in (2, 3, 4, 8) * 3:
        images = DIGITS[rng.integers(0, len(DIGITS), count)]
        gaps = rng.integers(-(-2 * height // 28) + 1, 20 * height // 28 + 2, count - 1).tolist()
        levels, boxes = pasted(images, height, gaps)
        found = cuts(255 - levels if light else levels)
        assert len(found) == count
        for cut, box, image in zip(found, boxes, images, strict=True):
            assert np.abs(in_pixels(cut, levels) - box).max() <= 0.05 * height + 1
            alone, _ = pasted([image], height, [])
            assert difference(normalised(cut.ink), normalised(cut_out(alone))) < 32  # the box is whole pixels


def test_a_small_row_in_a_large_picture_is_cut_from_the_original():
    row, boxes = pasted(DIGITS[10:14], 40, [12, 20, 8])
    page = np.full((1200, 1600), 255, np.uint8)
    page[900 : 900 + row.shape[0], 700 : 700 + row.shape[1]] = row
    found = cuts(page)
    assert len(found) == 4
    for cut, (left, top, right, bottom), image in zip(found, boxes, DIGITS[10:14], strict=True):
        assert np.abs(in_pixels(cut, page) - [left + 700, top + 900, right + 700, bottom + 900]).max() <= 5
        assert difference(normalised(cut.ink), normalised(cut_out(pasted([image], 40, [])[0]))) < 8


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", [28, 64, 400])
def test_a_single_digit_comes_out_byte_for_byte_as_by_cut_out(size, light):
    """Half of these touch two edges of their picture, and fill half of it."""
    for image in DIGITS[:60]:
        dark = np.asarray(render(image, size))
        levels = 255 - dark if light else dark
        (cut,) = cuts(levels)
        np.testing.assert_array_equal(cut.ink, cut_out(levels))


def test_specks_are_left_out():
    levels, boxes = pasted(DIGITS[10:13], 60, [40, 40])
    dirty, single = levels.copy(), pasted(DIGITS[15:16], 60, [])[0]
    for left, top in [(boxes[0][2] + 18, 70), (boxes[1][2] + 18, 40), (3, 100), (levels.shape[1] - 6, 20)]:
        dirty[top : top + 3, left : left + 3] = 0
    assert [cut.box for cut in cuts(dirty)] == [cut.box for cut in cuts(levels)]
    speck = single.copy()
    speck[3:6, 3:6] = 0
    assert difference(normalised(cuts(speck)[0].ink), normalised(cut_out(single))) < 2


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_digit_with_a_gap_through_it_stays_one(share):
    """Its parts lie one above the other, so they share columns."""
    for image in DIGITS[10:20]:
        whole, ((left, top, right, bottom),) = pasted([image], 60, [])
        broken = whole.copy()
        broken[top + round(share * 60)] = 255
        (cut,) = cuts(broken)
        assert np.abs(in_pixels(cut, whole) - (left, top, right, bottom)).max() <= 4
        assert difference(normalised(cut.ink), normalised(cut_out(whole))) < 12


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_no_digits(level):
    with pytest.raises(NoInkError):
        cuts(np.full((80, 120), level, np.uint8))


def test_more_digits_than_a_number_has_are_none():
    page = Image.new("L", (3000, 60), "white")
    for left in range(20, 2900, 40):
        ImageDraw.Draw(page).rectangle((left, 10, left + 8, 50), fill=0)
    with pytest.raises(NoInkError):
        cuts(np.asarray(page))


def test_a_digit_at_the_edge_of_the_picture_says_so():
    levels, boxes = pasted(DIGITS[10:13], 60, [30, 30])
    assert [cut.at_edge for cut in cuts(levels)] == [False] * 3
    assert [cut.at_edge for cut in cuts(levels[:, boxes[0][0] :])] == [True, False, False]
