"""Damaged pictures are read or refused in one line; Pillow's own errors and warnings do not show."""

import contextlib
import io

import pillow_heif
import pytest
from PIL import Image

from mnist_reader.picture import PictureError, grey_levels
from mnist_reader.preparation import digit_image
from tests.conftest import ROOT
from tests.fuzz.damage import damaged


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
def test_a_damaged_picture_is_read_or_refused(form):
    whole = whole_picture(form)
    assert grey_levels(whole, "some").shape == (48, 64)
    for content in damaged(whole, form):
        try:
            levels = grey_levels(content, "some")
        except PictureError as error:
            assert str(error).startswith("some: expected")
            assert "\n" not in str(error)
        else:
            with contextlib.suppress(PictureError):  # no ink is left
                digit_image(levels)
