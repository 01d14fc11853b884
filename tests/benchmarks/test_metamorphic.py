"""What the comparison of changed pictures counts, and that the changes are what they are called."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.metamorphic import CHANGES, FORMATS, INK, PAPER, compared, on_paper


@pytest.fixture(scope="module")
def picture():
    """An L, which looks different in each of its eight positions, on paper 24 × 28 pixels large before it is drawn."""
    image = np.full((28, 24), 255, np.uint8)
    image[4:24, 6:9] = image[21:24, 6:17] = 0
    return on_paper(Image.fromarray(image))


def opened(form):
    """The upright picture, and the format of its file."""
    image = Image.open(io.BytesIO(form)) if isinstance(form, bytes) else form
    return np.asarray(ImageOps.exif_transpose(image).convert("L")).astype(int), image.format


def changed(picture, name):
    return [opened(form) for form in CHANGES[name](picture)]


def test_ink_is_dark_and_paper_is_light_and_four_times_as_large(picture):
    levels = np.asarray(picture)
    assert levels.shape == (112, 96)
    assert (levels[0, 0], levels[40, 30]) == (PAPER, INK)


def test_all_eight_orientations_in_the_file_are_undone_by_its_exif(picture):
    forms = CHANGES["turned, with EXIF"](picture)
    stored = {np.asarray(Image.open(io.BytesIO(form))).tobytes() for form in forms}
    assert len(stored) == len(forms) == 8
    for levels, _ in changed(picture, "turned, with EXIF"):
        np.testing.assert_array_equal(levels, np.asarray(picture))


@pytest.mark.parametrize(("name", "forms"), [("other formats", list(FORMATS)), ("JPEG, quality 10", ["JPEG"])])
def test_files_are_of_their_formats_and_hold_about_the_same(picture, name, forms):
    found = changed(picture, name)
    assert [form for _, form in found] == forms
    for levels, _ in found:
        assert np.abs(levels - np.asarray(picture)).mean() < 4


@pytest.mark.parametrize(
    ("name", "part"),
    [("wide margins", (slice(112, 224), slice(96, 192))), ("thin frame", (slice(2, -2), slice(2, -2)))],
)
def test_what_is_added_around_a_picture_leaves_it_in_the_middle(picture, name, part):
    ((levels, _),) = changed(picture, name)
    np.testing.assert_array_equal(levels[part], np.asarray(picture))
    outside = {"wide margins": PAPER, "thin frame": INK}[name]
    assert {levels[0, 0], levels[-1, -1]} == {outside}


@pytest.mark.parametrize(
    ("name", "dimmed"),
    [("light from one side", {(0, 0): 1, (0, -1): 0.6}), ("soft shadow", {(0, 0): 1, (-1, -1): 0.75})],
)
def test_light_is_dimmed_where_the_change_says_it(picture, name, dimmed):
    ((levels, _),) = changed(picture, name)
    for place, share in dimmed.items():
        assert levels[place] == pytest.approx(share * PAPER, abs=1)


@pytest.mark.parametrize(
    ("name", "size"), [("half as large", (56, 48)), ("twice as large", (224, 192)), ("four times as large", (448, 384))]
)
def test_sizes_are_what_they_are_called(picture, name, size):
    ((levels, _),) = changed(picture, name)
    assert levels.shape == size


def test_the_table_has_the_fraction_of_answers_that_differ(picture):
    """A reader that says how wide the upright picture is."""
    reader = SimpleNamespace(read=lambda form: SimpleNamespace(text=str(opened(form)[0].shape[1])))
    wide = picture.resize((300, 112))
    table = {row["change"]: row for row in compared(reader, [picture, wide], [wide])}
    assert table["inverted"] == {"change": "inverted", "digits_differ": 0, "rows_differ": 0}
    assert table["twice as large"]["digits_differ"] == table["twice as large"]["rows_differ"] == 1
    odd = SimpleNamespace(read=lambda form: SimpleNamespace(text=str(opened(form)[0].mean() < 128)))
    share = {row["change"]: row["digits_differ"] for row in compared(odd, [picture, wide], [wide])}
    assert (share["inverted"], share["turned, with EXIF"]) == (1, 0)
