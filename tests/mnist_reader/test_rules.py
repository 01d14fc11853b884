"""Rules go from the mask of a page; the strokes of digits stay, also where they cross one."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_reader.rules import without_rules

HEIGHT = 60  # pixels, of a digit
WIDTH, DEPTH = 800, 500
STROKE = 8  # pixels
NONE = np.zeros((DEPTH, WIDTH), bool)
DIGITS = {
    "a one": [(400, 200, 400, 260)],
    "a tall one": [(400, 190, 405, 275)],
    "a seven": [(380, 200, 420, 200), (420, 200, 395, 260)],
    "a seven with a wide bar": [(360, 200, 440, 200), (440, 200, 395, 260)],
    "a four": [(390, 200, 370, 240), (370, 240, 430, 240), (410, 220, 410, 262)],
    "a two with a long foot": [(380, 210, 410, 205), (410, 205, 375, 260), (375, 260, 445, 260)],
}


def mask(*lines):
    """A page with lines of (left, top, right, bottom, width)."""
    page = Image.new("1", (WIDTH, DEPTH))
    for *ends, width in lines:
        ImageDraw.Draw(page).line(ends, 1, width)
    return np.array(page)


def digit(name):
    return mask(*((*stroke, STROKE) for stroke in DIGITS[name]))


def ruled(gap, width=2, slope=0.0):
    """Lines across the page, which may slope."""
    return mask(*((0, at, WIDTH, at + slope * WIDTH, width) for at in range(35, DEPTH, gap)))


PAPERS = {
    "ruled": ruled(90),
    "ruled thickly": ruled(90, 5),
    "ruled, and with a margin": ruled(90) | mask((90, 0, 90, DEPTH, 3)),
    "squared": ruled(45) | mask(*((at, 0, at, DEPTH, 2) for at in range(20, WIDTH, 45))),
    "ruled and sloping down": ruled(90, 3, slope=0.015),
    "ruled and sloping up": ruled(90, 3, slope=-0.01),
    "a frame": mask((5, 5, 795, 5, 3), (5, 495, 795, 495, 3), (5, 5, 5, 495, 3), (795, 5, 795, 495, 3)),
    "axes": mask((60, 20, 60, 450, 3), (40, 430, 760, 430, 3)),
    "a line under a number": mask((300, 290, 520, 290, 3)),
}


@pytest.mark.parametrize("name", PAPERS)
def test_rules_alone_leave_no_more_than_dots_where_they_cross(name):
    left, _ = ndimage.label(without_rules(PAPERS[name], HEIGHT, NONE), np.ones((3, 3)))
    sides = [side.stop - side.start for box in ndimage.find_objects(left) for side in box]
    assert max(sides, default=0) < HEIGHT / 6


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("name", DIGITS)
def test_digits_stay_as_they_are(name, upright):
    """Also on a page that lies on its side."""
    page, frames = (digit(name), NONE) if upright else (digit(name).T, NONE.T)
    np.testing.assert_array_equal(without_rules(page, HEIGHT, frames), page)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", DIGITS)
def test_digits_stay_where_rules_cross_them_and_little_of_the_rules_with_them(name, paper):
    ink = digit(name)
    left = without_rules(PAPERS[paper] | ink, HEIGHT, NONE)
    assert (left & ink).sum() > 0.9 * ink.sum()
    labels, _ = ndimage.label(left, np.ones((3, 3)))
    touching = np.isin(labels, np.unique(labels[left & ink]))
    assert (touching & ~ink).sum() < 0.15 * ink.sum()


def test_an_upright_stroke_is_whole_where_a_rule_crosses_it():
    bar, rule = mask((400, 200, 400, 260, STROKE)), mask((0, 230, WIDTH, 230, 2))
    np.testing.assert_array_equal(without_rules(bar | rule, HEIGHT, NONE) & bar, bar)


def test_a_mask_without_ink_stays_empty():
    empty = np.zeros((40, 30), bool)
    assert not without_rules(empty, 10.0, empty).any()


def test_the_short_lines_of_a_cell_go_where_they_are_known_to_be_around_digits():
    """A one beside it, as long as its walls, stays."""
    cell = mask((350, 180, 450, 180, 3), (350, 280, 450, 280, 3), (350, 180, 350, 280, 3), (450, 180, 450, 280, 3))
    ink = digit("a seven") | mask((550, 180, 550, 280, STROKE))
    left = without_rules(cell | ink, HEIGHT, cell)
    assert (left & ink).sum() > 0.95 * ink.sum()
    assert (left & ~ink).sum() < 0.05 * cell.sum()
    np.testing.assert_array_equal(without_rules(cell | ink, HEIGHT, NONE) & ink, ink)
