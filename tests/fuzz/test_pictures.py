"""Damaged pictures are read or refused in one line; Pillow's own errors and warnings do not show."""

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageDraw

from mnist_reader.picture import PictureError, grey_levels
from tests.conftest import ROOT
from tests.fuzz.damage import CASES, damaged
from tests.mnist_reader.pages import released_reader


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return released_reader(tmp_path_factory.mktemp("model"))


def whole_picture(form):
    """The bytes of a picture of 64×48 pixels."""
    file = io.BytesIO()
    with Image.open(ROOT / "docs/digit.png") as picture:
        small = picture.convert("RGB").resize((64, 48))
    if form == "HEIC":
        pillow_heif.from_pillow(small).save(file)
    else:
        small.save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "HEIC"])
def test_a_damaged_picture_is_read_or_refused(form, reader):
    whole = whole_picture(form)
    assert grey_levels(whole, "some").shape == (48, 64)
    for content in damaged(whole, form):
        try:
            levels = grey_levels(content, "some")
        except PictureError as error:
            assert str(error).startswith("some: expected")
            assert "\n" not in str(error)
        else:
            assert_possible(reader.read(levels), levels.shape)


def assert_possible(reading, shape):
    """Whatever is read stands in the picture, and there are no more probabilities than 1."""
    rows, columns = shape
    assert reading.empty == (not reading.text)
    assert 0 <= reading.confidence <= 1
    for digit in reading.digits:
        left, top, right, bottom = digit.pixels
        assert -1 <= left <= right <= columns + 1 and -1 <= top <= bottom <= rows + 1
        assert sum(digit.probabilities) == pytest.approx(1, abs=1e-3)


def noise(rng, page):
    page.paste(Image.fromarray(rng.integers(0, 256, page.size[::-1], np.uint8)))


def shapes(rng, page):
    """Bars, rings and lines of any size, some beyond the sides."""
    draw, most = ImageDraw.Draw(page), max(page.size)
    for _ in range(rng.integers(1, 200)):
        (left, top), size = rng.uniform(-0.1 * most, most, 2), rng.exponential(most / 10, 2)
        box = (left, top, left + size[0], top + size[1])
        level, width = int(rng.integers(256)), int(rng.integers(1, 12))
        kind = rng.integers(3)
        if kind == 2:
            draw.line(box, level, width)
        else:
            [draw.rectangle, draw.ellipse][kind](box, rng.choice([None, level]), level, width)


def comb(rng, page):
    """Stripes or dots, which fall into as many parts as there can be."""
    levels = np.full(page.size[::-1], 255, np.uint8)
    down, across = rng.integers(1, 9, 2)
    levels[::down, ::across] = 0
    page.paste(Image.fromarray(levels))


@pytest.mark.parametrize("draw", [noise, shapes, comb], ids=lambda draw: draw.__name__)
def test_whatever_is_in_a_picture_is_a_possible_reading(draw, reader):
    rng = np.random.default_rng(CASES)
    for _ in range(CASES):
        size = np.rint(np.exp(rng.uniform(0, np.log(900), 2))).astype(int)
        page = Image.new("L", tuple(size.tolist()), int(rng.integers(256)))
        draw(rng, page)
        assert_possible(reader.read(page), page.size[::-1])


def test_pictures_of_a_few_pixels_are_a_possible_reading(reader):
    rng = np.random.default_rng(0)
    for shape in np.ndindex(4, 4):
        for _ in range(CASES):
            page = rng.choice(np.array([0, 128, 255], np.uint8), np.add(shape, 1))
            assert_possible(reader.read(page), page.shape)
