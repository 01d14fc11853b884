"""The paper of a page in any light against SciPy's morphology, and which of ink and paper is lighter."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_reader.ink import NoInkError
from mnist_reader.light import closed, ink_depth, page_scan

SIZES = [(400, 600), (600, 350), (1200, 900)]  # rows and columns
REFLECTED = 0.4  # of the paper's light, by the strokes here


def strokes(shape):
    """A mask of strokes a fortieth of the shorter side thick: a ring and a bar, four times."""
    rows, columns = shape
    page, thick = Image.new("1", (columns, rows)), max(3, min(shape) // 40)
    for left, top in [(0.1, 0.1), (0.6, 0.1), (0.1, 0.6), (0.6, 0.6)]:
        x, y, size = left * columns, top * rows, 0.25 * min(shape)
        ImageDraw.Draw(page).ellipse((x, y, x + size, y + size), outline=1, width=thick)
        ImageDraw.Draw(page).rectangle((x + 1.2 * size, y, x + 1.2 * size + thick, y + size), fill=1)
    return np.asarray(page)


def even(shape):
    return np.ones(shape)


def lamp(shape):
    """Light from the left, a third of it on the right."""
    return np.broadcast_to(np.linspace(1, 0.33, shape[1]), shape)


def vignette(shape):
    y, x = (np.linspace(-1, 1, side) for side in shape)
    return 1 - 0.3 * (x**2 + y[:, None] ** 2)


def shadow(shape):
    """The lower right half lies in the soft shadow of a hand."""
    y, x = (np.linspace(0, 1, side) for side in shape)
    return 1 - 0.5 / (1 + np.exp(-60 * (x + y[:, None] - 1)))


LIGHTS = {light.__name__: light for light in (even, lamp, vignette, shadow)}


@pytest.mark.parametrize("size", [5, 9, 31, 101])
def test_closing_is_that_of_scipy_on_paper_that_goes_on_as_its_border_is(size):
    rng = np.random.default_rng(size)
    for shape in [(1, 1), (1, 70), (70, 1), (4, 6), (60, 81), (113, 64)]:
        noise = rng.integers(0, 256, shape, np.uint8)
        for levels in (noise, np.uint8(ndimage.gaussian_filter(rng.random(shape), 3) * 255)):
            wide = ndimage.grey_closing(np.pad(levels, size, mode="edge"), (size, size))
            np.testing.assert_array_equal(closed(levels, size), wide[size:-size, size:-size])


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", LIGHTS)
def test_the_depth_of_ink_is_what_it_does_not_reflect_whatever_the_light(name, shape):
    ink = strokes(shape)
    levels = np.rint(230 * LIGHTS[name](shape) * np.where(ink, REFLECTED, 1)).astype(np.uint8)
    depth = ink_depth(levels)
    assert depth.dtype == np.uint8
    inner = np.zeros(shape, bool)  # beyond the sides nobody knows the paper
    inner[shape[0] // 10 : -shape[0] // 10, shape[1] // 10 : -shape[1] // 10] = True
    assert np.abs(depth[ink] - 255 * (1 - REFLECTED)).max() < 40
    assert depth[inner & ~ink].max() < 10


def test_the_depth_of_light_ink_is_what_it_adds():
    ink = strokes((400, 600))
    depth = ink_depth(np.where(ink, 200, np.arange(40, 100, 0.1)).astype(np.uint8))
    paper = np.broadcast_to(np.arange(40, 100, 0.1), ink.shape)
    assert np.abs(depth[ink] - (200 - paper[ink])).max() < 12
    assert depth[~ink].max() < 12


def stands_out(levels, ink):
    """Whether the strokes are the ink, and not what is between them."""
    depth = ink_depth(levels.astype(np.uint8))
    return bool(np.median(depth[ink]) > 50 > np.median(depth[~ink]))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", LIGHTS)
def test_the_strokes_are_the_ink_dark_or_light_whatever_the_light(name, shape):
    ink = strokes(shape)
    for levels in (np.where(ink, 60, 220), np.where(ink, 220, 60)):
        assert stands_out(LIGHTS[name](shape) * levels, ink)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("name", ["even", "vignette"])
def test_a_dark_table_around_the_sheet_makes_no_light_ink(name, share):
    ink = strokes(shape := (400, 600))
    levels = LIGHTS[name](shape) * np.where(ink, 60, 220)
    table = [(round(side * share),) * 2 for side in shape]
    assert stands_out(np.pad(levels, table, constant_values=60), np.pad(ink, table))


def test_pale_and_dark_strokes_of_a_page_both_reach_full_ink():
    levels = np.full((600, 800), 220, np.uint8)
    bars = {(100, 120): 20, (300, 320): 120, (500, 520): 180}  # columns → level
    for (left, right), level in bars.items():
        levels[200:400, left:right] = level
    scanned = page_scan(levels)
    assert (scanned.levels is levels, scanned.factor) == (True, 1)
    for left, right in bars:
        assert scanned.ink[202:398, left + 2 : right - 2].min() > 0.99
    assert scanned.ink[:, 340:480].max() == scanned.ink[:190].max() == 0


@pytest.mark.parametrize("side", [3000, 5000])
def test_the_ink_of_a_large_page_is_that_of_a_smaller_copy(side):
    levels = np.where(strokes((side * 3 // 4, side)), 80, 220).astype(np.uint8)
    scanned = page_scan(levels)
    rows, columns = scanned.ink.shape
    assert max(rows, columns) <= 1200 < 2 * max(rows, columns)
    assert (rows * scanned.factor - side * 3 // 4) in range(scanned.factor)
    small = Image.fromarray(levels).resize((columns, rows), Image.Resampling.BOX)
    assert ((scanned.ink > 0.5) == (np.asarray(small) < 150)).mean() > 0.99


@pytest.mark.parametrize("spread", [0, 1, 4])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_paper_alone_has_no_ink(level, spread):
    noise = np.random.default_rng(0).normal(0, spread, (400, 500))
    with pytest.raises(NoInkError):
        page_scan(np.clip(level + noise, 0, 255).astype(np.uint8))
