"""Preparation: what becomes of a picture, and what is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from mnist_reader.picture import MAX_PIXELS, MAX_SIDE, PictureError, read_bytes
from mnist_reader.preparation import digit_image
from tests.digits import render


def seven(size=200, ink=0, paper=255):
    """A seven off the middle of a grey picture."""
    large = Image.new("L", (2000, 2000), paper)
    ImageDraw.Draw(large).line([(400, 300), (1200, 300), (700, 1500)], fill=ink, width=160, joint="curve")
    return large.resize((size, size), Image.Resampling.BOX)


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def difference(one, other):
    """Mean difference in grey levels, over the pixels that have ink in either."""
    ink = (one > 0) | (other > 0)
    return float(np.abs(one.astype(int) - other)[ink].mean())


def difference_of_shape(one, other):
    """The same, where one may lie a pixel beside the other: the centre of mass is rounded to whole pixels."""
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(difference(np.roll(one, step, axis=(0, 1)), other) for step in steps)


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


@pytest.mark.parametrize(("ink", "paper"), [(255, 0), (40, 200), (200, 40), (120, 180)])
def test_any_ink_on_any_paper_gives_the_same_digit(ink, paper):
    assert difference(digit_image(seven(ink=ink, paper=paper)), digit_image(seven())) < 2


@pytest.mark.parametrize("size", [40, 100, 401, 1500])
def test_any_size_gives_the_same_digit(size):
    assert difference_of_shape(digit_image(seven(size)), digit_image(seven())) < 48  # the box is whole pixels too


def test_small_digit_in_a_large_picture_is_found():
    for size in (60, 120, 300):
        page = Image.new("L", (2000, 1600), "white")
        page.paste(seven(size), (1500, 200))
        assert difference_of_shape(digit_image(page), digit_image(seven(size))) < 48


def test_the_inside_of_a_zero_that_fills_its_picture_is_paper():
    """Of scikit-learn's zeros, two were taken for a disc on curved paper."""
    digits = load_digits()
    for zero in digits.images[digits.target == 0]:
        image = digit_image(render(zero))
        assert image[13:16, 13:16].mean() < 128


def test_light_from_one_side_and_noise_are_removed():
    shade = np.linspace(0.4, 1, 200)[None, :] * np.linspace(0.8, 1, 200)[:, None]
    noise = np.random.default_rng(0).normal(0, 3, (200, 200))
    photo = np.clip(np.asarray(seven(ink=30, paper=230)) * shade + noise, 0, 255).astype(np.uint8)
    image = digit_image(Image.fromarray(photo))
    assert difference(image, digit_image(seven())) < 25
    assert image[0].max() == image[-1].max() == 0


def test_speck_beside_the_digit_is_ignored():
    dirty = seven()
    dirty.paste(0, (190, 190, 194, 194))
    assert difference(digit_image(dirty), digit_image(seven())) < 2


def test_transparent_parts_count_as_white():
    ink = seven().point(lambda level: 255 - level)
    clear = Image.merge("LA", (Image.new("L", ink.size, 0), ink))
    assert difference(digit_image(clear), digit_image(seven())) < 2
    assert difference(digit_image(clear.convert("RGBA")), digit_image(seven())) < 2


def test_exif_orientation_is_obeyed():
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90° clockwise to spec"
    stored = seven().transpose(Image.Transpose.ROTATE_90)
    assert difference(digit_image(encoded(stored, "JPEG", exif=exif, quality=95)), digit_image(seven())) < 8


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "CMYK", "I;16", "I", "F"])
def test_every_mode_of_pixels_is_read(mode):
    wide = Image.fromarray(np.asarray(seven(), np.uint16) * 200)
    image = wide if mode == "I;16" else seven().convert(mode)
    assert difference(digit_image(image), digit_image(seven())) < 2


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_every_format_of_files_is_read(form):
    assert difference(digit_image(encoded(seven(), form)), digit_image(seven())) < 8


def png_of(width, height):
    """A PNG that says it has this size, and ends before its pixels."""
    header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    pixels = struct.pack(">I4s", 1000, b"IDAT")
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + pixels


REFUSED = {
    "expected a picture": b"seven",
    "expected a whole picture": encoded(seven())[:200],
    f"expected at most {MAX_PIXELS:,} pixels and": png_of(9000, 9000),
    f"expected at most {MAX_PIXELS:,} pixels, found more": png_of(2**31 - 1, 2**31 - 1),
    f"and {MAX_SIDE:,} a side, found 40,000 × 10": png_of(40_000, 10),
    "expected a digit, found an empty picture": encoded(Image.new("L", (50, 50), "white")),
    "found b'%!PS-Ado'": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}


@pytest.mark.parametrize(("expected", "content"), REFUSED.items(), ids=list(REFUSED))
def test_what_holds_no_digit_is_refused_in_one_line(expected, content):
    with pytest.raises(PictureError) as caught:
        digit_image(content, "some.png")
    assert str(caught.value).startswith("some.png: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paper_that_is_only_unevenly_lit_is_empty():
    noise = np.random.default_rng(0).normal(0, 2, (100, 100))
    paper = np.linspace(100, 220, 100)[None, :] + noise
    with pytest.raises(PictureError, match="empty picture"):
        digit_image(Image.fromarray(paper.astype(np.uint8)))


def test_damaged_bytes_are_refused_or_read_and_nothing_else():
    random = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "PPM") * 30:
        content = bytearray(encoded(seven(60), form))
        for at in random.integers(0, len(content), 4):
            content[at] = random.integers(256)
        try:
            assert digit_image(bytes(content)).shape == (28, 28)
        except PictureError as error:
            assert "\n" not in str(error)


def test_empty_and_unreadable_files_are_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(PictureError, match=r"empty\.png: expected a picture, found an empty file"):
        read_bytes(str(tmp_path / "empty.png"))
    for path, reason in [(tmp_path, "Is a directory"), (tmp_path / "none.png", "No such file")]:
        with pytest.raises(PictureError, match=reason):
            read_bytes(str(path))
