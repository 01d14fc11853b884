"""Connected parts against SciPy's; lines of boxes, forms and squared paper change nothing in what is read."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_reader.core.normalisation import normalised
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.looks import close_look
from mnist_reader.strokes import connected_parts
from tests.digits import render
from tests.mnist_reader.drawn import DIGITS, difference_of_shape, inks, pasted

SIZES = [56, 100, 200, 400]  # pixels a side
CLOSE = 36  # grey levels over the ink: a pixel's shift of the box, but no line


def masks():
    """Noise from nothing to everything, and smooth shapes that wind around each other."""
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (1, 40), (40, 1), (2, 2), (23, 31), (60, 60)]:
        for density in (0, 0.02, 0.1, 0.3, 0.4, 0.5, 0.7, 0.95, 1):
            yield rng.random(shape) < density
    yield from (rng.random((150, 150)) < density for density in (0.1, 0.3, 0.4, 0.6))
    comb = np.arange(90)[:, None] > np.where(np.arange(120) % 2, 95, rng.integers(0, 90, 120))
    comb[[30, 60, 89]] = True
    yield from (comb, comb[::-1], comb.T)
    for spread in (1, 2, 4):
        smooth = ndimage.gaussian_filter(rng.normal(size=(80, 90)), spread)
        yield from (smooth > 0, np.abs(smooth) < smooth.std() / 4)


@pytest.mark.parametrize("mask", list(masks()))
def test_parts_are_those_that_scipy_finds(mask):
    labels, parts = connected_parts(mask)
    expected, count = ndimage.label(mask, np.ones((3, 3)))  # corners included
    assert (labels.shape, len(parts)) == (mask.shape, count)
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == count + (not mask.all())  # each label goes with one of SciPy's, and so does the rest
    assert ((labels > 0) == mask).all()
    names = dict(pairs.T.tolist())
    boxes, areas = ndimage.find_objects(expected), np.bincount(expected.ravel())
    assert [part.box for part in parts] == [boxes[names[part.labels[0]] - 1] for part in parts]
    assert [part.area for part in parts] == [areas[names[part.labels[0]]] for part in parts]
    assert [part.area for part in parts] == sorted(areas[1:].tolist(), reverse=True)


def test_a_large_spiral_is_one_part():
    spiral = np.zeros((400, 400), bool)
    for inset in range(0, 198, 4):
        spiral[inset, max(0, inset - 4) : 400 - inset] = spiral[inset : 400 - inset, 399 - inset] = True
        spiral[399 - inset, inset : 400 - inset] = spiral[inset + 4 : 400 - inset, inset] = True
    assert [part.area for part in connected_parts(spiral)[1]] == [spiral.sum()]


def plain(image, size, degrees=0, draw=lambda page: None):
    """White paper, on which something is drawn and then tilted, with a digit in the middle 0.6 of it."""
    page = Image.new("L", (size, size), "white")
    draw(ImageDraw.Draw(page))
    page = page.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    if image is not None:
        side = round(size * 0.6)
        page.paste(render(image, side), ((size - side) // 2,) * 2)
    return page


def cell(sides, ink=0, inset=0.0):
    """Lines along these sides, and from edge to edge."""

    def draw(image, size):
        page, thick = plain(image, size), max(1, size // 40)
        near, far = round(inset * size), size - 1 - round(inset * size)
        lines = {
            "left": (near, 0, near + thick - 1, size),
            "right": (far - thick + 1, 0, far, size),
            "top": (0, near, size, near + thick - 1),
            "bottom": (0, far - thick + 1, size, far),
        }
        for side in sides.split():
            ImageDraw.Draw(page).rectangle(lines[side], fill=ink)
        return page

    return draw


def box(inset, degrees=0):
    """A frame within the picture, perhaps tilted."""

    def draw(image, size):
        near, far = round(inset * size), size - 1 - round(inset * size)
        frame = {"outline": 0, "width": max(1, size // 60)}
        return plain(image, size, degrees, lambda page: page.rectangle((near, near, far, far), **frame))

    return draw


def underlined(image, size):
    top = round(size * 0.88)
    line = (size * 0.1, top, size * 0.9, top + max(1, size // 60) - 1)
    return plain(image, size, draw=lambda page: page.rectangle(line, fill=0))


LINES = {
    "a sudoku's cell": cell("left right top bottom"),
    "a cell in grey": cell("left right top bottom", ink=150),
    "a cell with paper about it": cell("left right top bottom", inset=0.05),
    "a cell's left and top": cell("left top"),
    "a cell's right and bottom": cell("right bottom"),
    "a column": cell("left right"),
    "a box": box(0.08),
    "a box tilted to the left": box(0.08, 2),
    "a box tilted to the right": box(0.05, -2),
    "a tilted box that leaves the picture": box(0.01, 2),
    "an underline": underlined,
}


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LINES)
def test_lines_change_nothing_in_a_digit_and_alone_are_an_empty_picture(name, size, light):
    for image in DIGITS[20:32]:
        drawn, bare = (np.asarray(draw(image, size)) for draw in (LINES[name], plain))
        (ink,) = inks(255 - drawn if light else drawn)
        assert difference_of_shape(normalised(ink), normalised(cut_out(bare))) < CLOSE
    drawn = np.asarray(LINES[name](None, size))
    with pytest.raises(NoInkError):
        close_look(255 - drawn if light else drawn)


def test_squared_paper_is_empty():
    page = Image.new("L", (200, 200), "white")
    for at in range(20, 200, 40):
        ImageDraw.Draw(page).line((at, 0, at, 199), fill=0)
        ImageDraw.Draw(page).line((0, at, 199, at), fill=0)
    with pytest.raises(NoInkError):
        close_look(np.asarray(page))


@pytest.mark.parametrize(("frame", "width"), [((4, 4, -5, -5), 2), ((10, 105, -10, 106), 1)])
def test_a_row_in_a_box_and_above_a_line_is_cut_as_without(frame, width):
    levels, _ = pasted(DIGITS[10:14], 60, [20, 20, 20])
    page, size = Image.fromarray(levels), levels.shape[::-1] * 2
    corners = [at + side if at < 0 else at for at, side in zip(frame, size, strict=True)]
    ImageDraw.Draw(page).rectangle(corners, outline=0, width=width)
    cuts = [[normalised(ink) for ink in inks(picture)] for picture in (levels, np.asarray(page))]
    assert len(cuts[1]) == 4
    assert max(map(difference_of_shape, *cuts)) < CLOSE


@pytest.mark.parametrize(
    "strokes",
    [
        [(50, 8, 50, 92)],  # a one from top to bottom of its picture
        [(8, 10, 92, 10), (92, 10, 40, 92)],  # a seven with a long bar
        [(30, 8, 8, 60), (8, 60, 92, 60), (60, 8, 60, 92)],  # a four with a cross of two
    ],
)
def test_straight_strokes_of_a_digit_are_no_lines(strokes):
    page = Image.new("L", (100, 100), "white")
    for stroke in strokes:
        ImageDraw.Draw(page).line(stroke, fill=0, width=8)
    (ink,) = inks(np.asarray(page))
    np.testing.assert_array_equal(ink, cut_out(np.asarray(page)))
