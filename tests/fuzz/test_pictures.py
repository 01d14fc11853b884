"""Damaged pictures are read or refused in one line; Pillow's own errors and warnings do not show."""

import io

import pytest
from PIL import Image

from mnist_reader.picture import PictureError, decode
from mnist_reader.preparation import prepare_picture
from tests.conftest import ROOT
from tests.fuzz.damage import damaged


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM"])
def test_a_damaged_picture_is_read_or_refused(form):
    whole = io.BytesIO()
    with Image.open(ROOT / "docs/digit.png") as picture:
        picture.convert("RGB").resize((64, 48)).save(whole, form)
    assert decode(whole.getvalue(), "some").shape == (48, 64)
    for content in damaged(whole.getvalue(), form):
        try:
            levels = decode(content, "some")
        except PictureError as error:
            assert str(error).startswith("some: expected")
            assert "\n" not in str(error)
        else:
            assert levels.ndim == 2
            prepare_picture(levels)
