"""What becomes of a picture of one digit."""

import numpy as np
import pytest
from PIL import Image

from mnist_reader.picture import PictureError
from mnist_reader.preparation import digit_image, whole_image
from tests.digits import render
from tests.mnist_reader.drawn import DIGITS, LABELS, difference, difference_of_shape, encoded, seven


def box(image):
    """Rows and columns from the first to the last with ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_digit_fits_the_box_and_its_mass_is_centred():
    image = digit_image(seven())
    assert (image.shape, image.dtype, image.max()) == ((28, 28), np.uint8, 255)
    assert max(box(image)) == 20
    mass = image.astype(float)
    centre = [(mass.sum(axis=axis) @ np.arange(28)) / mass.sum() for axis in (1, 0)]
    assert centre == pytest.approx([14, 14], abs=0.5)  # whole pixels are as near as MNIST itself comes


@pytest.mark.parametrize(("width", "height", "expected"), [(100, 20, (4, 20)), (20, 100, (20, 4)), (60, 60, (20, 20))])
def test_aspect_ratio_is_kept(width, height, expected):
    image = Image.new("L", (150, 150), "white")
    image.paste(0, (30, 40, 30 + width, 40 + height))
    assert box(digit_image(image)) == expected


def test_picture_that_is_as_mnist_made_it_stays_as_it_is():
    y, x = np.mgrid[:28, :28] - 13.5
    ring = np.clip(255 * (2.5 - np.abs(np.hypot(x, y) - 8)), 0, 255).round().astype(np.uint8)
    assert box(ring) == (20, 20)
    np.testing.assert_array_equal(digit_image(Image.fromarray(ring)), ring)


def dirty():
    page = seven()
    page.paste(0, (190, 190, 194, 194))
    return page


def clear(mode):
    """Ink on transparent paper."""
    ink = seven().point(lambda level: 255 - level)
    return Image.merge("LA", (Image.new("L", ink.size, 0), ink)).convert(mode)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90° clockwise to spec"
    return encoded(seven().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def shaded():
    """Light from one side, and noise."""
    shade = np.linspace(0.4, 1, 200)[None, :] * np.linspace(0.8, 1, 200)[:, None]
    noise = np.random.default_rng(0).normal(0, 3, (200, 200))
    return np.clip(np.asarray(seven(ink=30, paper=230)) * shade + noise, 0, 255).astype(np.uint8)


SEVENS = {
    **{f"{ink} on {paper}": (seven(200, ink, paper), 2) for ink, paper in [(255, 0), (40, 200), (200, 40), (120, 180)]},
    **{f"mode {mode}": (seven().convert(mode), 2) for mode in ("1", "P", "RGB", "CMYK", "I", "F")},
    "mode I;16": (Image.fromarray(np.asarray(seven(), np.uint16) * 200), 2),
    **{form: (encoded(seven(), form), 8) for form in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")},
    **{f"transparent {mode}": (clear(mode), 2) for mode in ("LA", "RGBA")},
    "turned by EXIF": (turned(), 8),
    "a speck beside it": (dirty(), 2),
    "uneven light": (shaded(), 25),
}


@pytest.mark.parametrize(("picture", "levels"), SEVENS.values(), ids=list(SEVENS))
def test_every_picture_of_a_digit_gives_the_same_image(picture, levels):
    image = digit_image(picture)
    assert difference(image, digit_image(seven())) < levels
    assert image[0].max() == image[-1].max() == 0


def on_a_page(size):
    page = Image.new("L", (2000, 1600), "white")
    page.paste(seven(size), (1500, 200))
    return page


@pytest.mark.parametrize(
    ("picture", "same"),
    [(seven(size), seven()) for size in (40, 100, 401, 1500)]
    + [(on_a_page(size), seven(size)) for size in (60, 120, 300)],
)
def test_any_size_gives_the_same_digit_also_in_a_large_picture(picture, same):
    assert difference_of_shape(digit_image(picture), digit_image(same)) < 48  # the box is whole pixels too


def test_the_inside_of_a_zero_that_fills_its_picture_is_paper():
    """Of scikit-learn's zeros, two were taken for a disc on curved paper."""
    for zero in DIGITS[LABELS == 0]:
        assert digit_image(render(zero))[13:16, 13:16].mean() < 128


def test_paper_that_is_only_unevenly_lit_is_empty():
    noise = np.random.default_rng(0).normal(0, 2, (100, 100))
    paper = np.linspace(100, 220, 100)[None, :] + noise
    with pytest.raises(PictureError, match="empty picture"):
        digit_image(Image.fromarray(paper.astype(np.uint8)))


def test_the_whole_of_a_wide_picture_is_kept_on_black_whichever_its_paper():
    levels = np.zeros((28, 56), np.uint8)
    levels[4:12, 10:20] = levels[10:24, 30:50] = 180
    expected = np.pad(levels[::2, ::2], ((7, 7), (0, 0)))
    for picture in (levels, 255 - levels):
        np.testing.assert_array_equal(whole_image(picture), expected)
