"""What is drawn on a picture: where, in which colours, and what of the picture stays visible."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from mnist_reader.picture import PictureError
from mnist_reader.reader import Digit, Reading
from mnist_reader.show import SURE, UNSURE, ShowError, draw, save
from tests.mnist_reader.drawn import encoded

SIDE = 600  # pixels of a side of PAGE, which is drawn at its own size
PAGE = np.full((SIDE, SIDE), 240, np.uint8)
BOX = (150, 200, 250, 350)  # left, top, right, bottom on it


def digit(box, size=(SIDE, SIDE), label="7", **values):
    """A digit in this box of a picture of this width and height."""
    fractions = tuple(np.divide(box, [*size, *size]))
    return Digit(label, 0.9, "1", 0.1, fractions, tuple(box), False, (), np.zeros((28, 28)))._replace(**values)


def one_line(*digits):
    return Reading((digits,))


def page_of_nine():
    """Grey levels of three lines of three digits, and their boxes `(3, 3, 4)`."""
    levels = np.random.default_rng(0).integers(100, 256, (SIDE, SIDE), np.uint8)
    y, x = np.mgrid[:3, :3] * 190
    return levels, np.stack([x + 60, y + 80, x + 140 + 10 * y // 190, y + 180], axis=-1)


def inner(drawing, side=SIDE):
    """The pixels of the picture itself, `(side, side, 3)`: the margin is the same on all sides."""
    margin = (np.array(drawing.size) - side) // 2
    return np.asarray(drawing)[margin[1] : margin[1] + side, margin[0] : margin[0] + side]


def where(pixels, colour):
    """Whether each pixel has this colour."""
    return (pixels == ImageColor.getrgb(colour)).all(axis=-1)


def bounds(mask):
    """Left, top, right, bottom of what is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def edge(drawing, colour):
    """Whether each pixel of a line has the colour, below the box."""
    pixels = where(inner(drawing), colour)
    bottom = bounds(pixels)[3] - 1
    return pixels[bottom, BOX[0] : BOX[2]]


def runs(flags):
    return int(np.count_nonzero(np.diff(flags.astype(int), prepend=0) == 1))


@pytest.mark.parametrize(("unsure", "colour", "other"), [(False, SURE, UNSURE), (True, UNSURE, SURE)])
def test_a_box_stands_close_around_its_digit_in_its_colour(unsure, colour, other):
    pixels = inner(draw(PAGE, one_line(digit(BOX, unsure=unsure))))
    assert not where(pixels, other).any()
    below_label = where(pixels, colour) & (np.arange(SIDE)[:, None] >= BOX[1])
    left, _, right, bottom = bounds(below_label)
    assert all(0 < distance <= 10 for distance in (BOX[0] - left, right - BOX[2], bottom - BOX[3]))


def test_the_box_of_an_unsure_digit_is_dashed_so_that_no_colour_is_needed():
    sure, unsure = (draw(PAGE, one_line(digit(BOX, unsure=unsure))) for unsure in (False, True))
    assert runs(edge(sure, SURE)) == 1
    assert edge(sure, SURE).all()
    assert runs(edge(unsure, UNSURE)) > 3


def test_a_label_is_wider_with_a_question_mark_and_with_a_decimal_mark():
    def width(**values):
        """Of what is drawn above the box."""
        changed = (inner(draw(PAGE, one_line(digit(BOX, **values))))[: BOX[1] - 10] != 240).any(axis=2)
        left, _, right, _ = bounds(changed)
        return right - left

    assert width() < width(mark=".") < width(unsure=True) < width(unsure=True, mark=".")


def test_nothing_is_drawn_over_a_digit():
    levels, boxes = page_of_nine()
    lines = [[digit(box, unsure=(index + row) % 2 == 1) for index, box in enumerate(boxes[row])] for row in range(3)]
    pixels = inner(draw(levels, Reading(tuple(map(tuple, lines)))))
    for left, top, right, bottom in boxes.reshape(-1, 4):
        expected = np.repeat(levels[top:bottom, left:right, None], 3, axis=2)
        np.testing.assert_array_equal(pixels[top:bottom, left:right], expected)


def test_a_label_beside_a_neighbour_is_drawn_where_it_covers_none():
    above = digit((150, 40, 250, 194), label="1")  # a label does not fit between the two
    pixels = inner(draw(PAGE, Reading(((above,), (digit(BOX),)))))
    for left, top, right, bottom in ((150, 40, 250, 194), BOX):
        assert (pixels[top:bottom, left:right] == 240).all()


def test_a_label_of_a_digit_that_fills_the_picture_stands_in_the_margin():
    drawing = draw(PAGE, one_line(digit((0, 0, SIDE, SIDE))))
    assert (inner(drawing) == 240).all()
    assert where(np.asarray(drawing), SURE).any()


@pytest.mark.parametrize("paper", [0, 255])
def test_boxes_are_set_off_from_dark_and_light_paper(paper):
    pixels = inner(draw(np.full((SIDE, SIDE), paper, np.uint8), one_line(digit(BOX)))).astype(float)
    row = pixels[(BOX[1] + BOX[3]) // 2, : BOX[0]].mean(axis=1)
    assert np.ptp(row) > 100


@pytest.mark.parametrize(
    ("size", "longest"),
    [((28, 28), 588), ((800, 600), 800), ((3000, 4000), 1840), ((8, 30_000), 1840), ((1, 1), 600), ((1800, 10), 1800)],
)
def test_small_pictures_are_enlarged_and_large_ones_made_smaller(size, longest):
    drawing = draw(Image.new("L", size, "white"), Reading(()))
    assert drawing.mode == "RGB"
    assert longest < max(drawing.size) <= min(longest + 200, 2000)


def test_a_page_of_small_digits_is_enlarged_until_they_can_be_seen():
    small = one_line(*(digit((left, 10, left + 8, 22)) for left in range(10, 590, 12)))
    assert max(draw(PAGE, small).size) > 3 * SIDE


def test_every_pixel_of_a_small_picture_becomes_a_square():
    levels = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)
    expected = np.repeat(np.repeat(levels, 21, axis=0), 21, axis=1)
    np.testing.assert_array_equal(inner(draw(levels, Reading(())), 588)[..., 0], expected)


def lines_of(masks, size):
    """A digit for each mask, three a line."""
    digits = [digit(bounds(mask), size) for mask in masks]
    return tuple(tuple(digits[start : start + 3]) for start in range(0, len(digits), 3))


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_that_lies_on_its_side_is_drawn_upright(turned):
    levels, boxes = page_of_nine()
    levels = levels[:570]  # not square, so that sides cannot be mistaken
    rows, columns = np.mgrid[: levels.shape[0], : levels.shape[1]]
    masks = [
        (columns >= left) & (rows >= top) & (columns < right) & (rows < bottom)
        for left, top, right, bottom in boxes.reshape(-1, 4)
    ]
    upright = Reading(lines_of(masks, (600, 570)))
    lying = [np.rot90(part, turned // 90) for part in (levels, *masks)]  # counter-clockwise; the reader turned it back
    drawing = draw(np.ascontiguousarray(lying[0]), Reading(lines_of(lying[1:], lying[0].shape[::-1]), turned))
    np.testing.assert_array_equal(np.asarray(drawing), np.asarray(draw(levels, upright)))


def test_file_bytes_image_and_array_are_drawn_alike_and_turned_as_exif_says(tmp_path):
    reading, exif = one_line(digit(BOX)), Image.Exif()
    levels, _ = page_of_nine()
    expected = np.asarray(draw(levels, reading))
    exif[0x0112] = 6  # the camera was turned: a viewer turns the picture clockwise
    lying = encoded(Image.fromarray(np.rot90(levels)), exif=exif)
    (tmp_path / "lying.png").write_bytes(lying)
    for picture in (encoded(Image.fromarray(levels)), Image.fromarray(levels), lying, tmp_path / "lying.png"):
        np.testing.assert_array_equal(np.asarray(draw(picture, reading)), expected)


def test_what_is_no_picture_is_refused():
    with pytest.raises(PictureError, match="picture: expected a picture"):
        draw(b"no picture", Reading(()))


@pytest.mark.parametrize(
    ("name", "form"), [("a.png", "PNG"), ("a.JPEG", "JPEG"), ("a.tif", "TIFF"), ("a.webp", "WEBP")]
)
def test_a_drawing_is_written_in_the_format_of_its_suffix(tmp_path, name, form):
    drawing = draw(PAGE, one_line(digit(BOX)))
    save(drawing, tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert (image.format, image.size) == (form, drawing.size)
    (tmp_path / "plain").touch()
    assert (tmp_path / name).stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["drawing", "drawing.txt", "drawing.pdf", ".png"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ShowError, match=r"expected a name that ends in \.png, \.jpg or the like, found"):
        save(Image.new("RGB", (9, 9)), tmp_path / name)
    assert not any(tmp_path.iterdir())


class Half(Image.Image):
    """A picture of which the disk holds no more than a half."""

    def save(self, path, form):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")


def test_a_picture_that_cannot_be_written_whole_leaves_the_old_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ShowError, match=r"a\.png: expected a file that can be written, found: No space left on device"):
        save(Half(), tmp_path / "a.png")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.png", b"old")]
