"""Lines of boxes, forms and squared paper around a digit, drawn here with Pillow, change nothing in what is read."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.core.normalisation import normalised
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.line import cuts
from tests.digits import render
from tests.mnist_reader.test_line import DIGITS, difference, pasted

SIZES = [56, 100, 200, 400]  # pixels a side
CLOSE = 36  # grey levels over the ink: a pixel's shift of the box, but no line


def with_digit(page, image):
    """The page with a digit, dark on light, in the middle 0.6 of it."""
    if image is not None:
        side = round(page.width * 0.6)
        page.paste(render(image, side), ((page.width - side) // 2,) * 2)
    return page


def plain(image, size):
    return with_digit(Image.new("L", (size, size), "white"), image)


def cell(sides, ink=0, inset=0):
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
        for side in sides:
            ImageDraw.Draw(page).rectangle(lines[side], fill=ink)
        return page

    return draw


def box(inset, degrees=0):
    """A frame within the picture, perhaps tilted."""

    def draw(image, size):
        page, near = Image.new("L", (size, size), "white"), round(inset * size)
        corners = (near, near, size - 1 - near, size - 1 - near)
        ImageDraw.Draw(page).rectangle(corners, outline=0, width=max(1, size // 60))
        return with_digit(page.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255), image)

    return draw


def underlined(image, size):
    page, top = plain(image, size), round(size * 0.88)
    ImageDraw.Draw(page).rectangle((size * 0.1, top, size * 0.9, top + max(1, size // 60) - 1), fill=0)
    return page


ALL = ("left", "right", "top", "bottom")
LINES = {
    "a sudoku's cell": cell(ALL),
    "a cell in grey": cell(ALL, ink=150),
    "a cell with paper about it": cell(ALL, inset=0.05),
    "a cell's left and top": cell(("left", "top")),
    "a cell's right and bottom": cell(("right", "bottom")),
    "a column": cell(("left", "right")),
    "a box": box(0.08),
    "a box tilted to the left": box(0.08, 2),
    "a box tilted to the right": box(0.05, -2),
    "a tilted box that leaves the picture": box(0.01, 2),
    "an underline": underlined,
}


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LINES)
def test_a_digit_among_lines_is_as_without_them(name, size, light):
    for image in DIGITS[20:32]:
        drawn, bare = (np.asarray(draw(image, size)) for draw in (LINES[name], plain))
        (cut,) = cuts(255 - drawn if light else drawn)
        assert difference(normalised(cut.ink), normalised(cut_out(bare))) < CLOSE


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LINES)
def test_lines_alone_are_an_empty_picture(name, size, light):
    drawn = np.asarray(LINES[name](None, size))
    with pytest.raises(NoInkError):
        cuts(255 - drawn if light else drawn)


def test_squared_paper_is_empty():
    page = Image.new("L", (200, 200), "white")
    for at in range(20, 200, 40):
        ImageDraw.Draw(page).line((at, 0, at, 199), fill=0)
        ImageDraw.Draw(page).line((0, at, 199, at), fill=0)
    with pytest.raises(NoInkError):
        cuts(np.asarray(page))


def test_the_box_of_a_digit_in_a_cell_is_within_the_whole_picture():
    drawn, bare = (np.asarray(draw(DIGITS[10], 200)) for draw in (LINES["a sudoku's cell"], plain))
    assert cuts(drawn)[0].box == pytest.approx(cuts(bare)[0].box, abs=0.02)


def test_a_row_in_a_box_and_above_a_line_is_cut_as_without():
    levels, _ = pasted(DIGITS[10:14], 60, [20, 20, 20])
    rows, columns = levels.shape
    boxed, above = Image.fromarray(levels), Image.fromarray(levels)
    ImageDraw.Draw(boxed).rectangle((4, 4, columns - 5, rows - 5), outline=0, width=2)
    ImageDraw.Draw(above).rectangle((10, 105, columns - 10, 106), fill=0)
    expected = [normalised(cut.ink) for cut in cuts(levels)]
    for page in (boxed, above):
        found = [normalised(cut.ink) for cut in cuts(np.asarray(page))]
        assert len(found) == 4
        assert max(map(difference, found, expected)) < CLOSE


@pytest.mark.parametrize("number", [1, 7, 4])
def test_straight_strokes_of_a_digit_are_no_lines(number):
    """A one from top to bottom of its picture, a seven with a long bar, and a four with a cross of two."""
    strokes = {
        1: [(50, 8, 50, 92)],
        7: [(8, 10, 92, 10), (92, 10, 40, 92)],
        4: [(30, 8, 8, 60), (8, 60, 92, 60), (60, 8, 60, 92)],
    }
    page = Image.new("L", (100, 100), "white")
    for stroke in strokes[number]:
        ImageDraw.Draw(page).line(stroke, fill=0, width=8)
    (cut,) = cuts(np.asarray(page))
    np.testing.assert_array_equal(cut.ink, cut_out(np.asarray(page)))
