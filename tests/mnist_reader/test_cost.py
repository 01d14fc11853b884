"""What no picture costs more than: parts, images that the model sees, and seconds; on pictures made to be slow."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.ink import TooManyError
from mnist_reader.strokes import MOST_PARTS, connected_parts
from tests.mnist_reader.drawn import DIGITS, tight
from tests.mnist_reader.pages import released_reader

# Rows and columns, and for each size images that the model may see, and seconds of the processor: four times or more
# what the slowest took on one core.
SIZES = [((316, 316), 350, 0.6), ((80, 1250), 350, 0.6), ((1200, 1200), 1200, 3.0), ((600, 2400), 1200, 3.0)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return released_reader(tmp_path_factory.mktemp("model"))


def tiled(tile, shape, margin=4):
    """White paper of this shape, full of copies of a small picture, 255 = ink, but for a margin."""
    rows, columns = shape
    ink = np.tile(tile, (-(-rows // tile.shape[0]), -(-columns // tile.shape[1])))[:rows, :columns].copy()
    ink[:margin], ink[-margin:], ink[:, :margin], ink[:, -margin:] = 0, 0, 0, 0
    return 255 - ink


def dots(shape, apart=2):
    """Dots all over, and one stroke."""
    levels = tiled(np.pad(np.full((1, 1), 255, np.uint8), (0, apart - 1)), shape)
    middle = shape[1] // 2
    levels[4:-4, middle - 2 : middle + 3], levels[4:-4, middle] = 255, 0
    return levels


def noise(share, side=1):
    """Black squares, placed by chance, over this share of the picture."""

    def draw(shape):
        few = np.random.default_rng(0).random([-(-size // side) for size in shape]) < share
        return np.where(few.repeat(side, 0).repeat(side, 1), 0, 255).astype(np.uint8)[: shape[0], : shape[1]]

    return draw


def checkerboard(shape):
    return np.where(np.add.outer(*map(np.arange, shape)) % 2, 0, 255).astype(np.uint8)


def stripes(across, thick):
    """Slanted stripes, whose boxes cover each other many times."""

    def draw(shape):
        return np.where(np.add.outer(*map(np.arange, shape)) % across < thick, 0, 255).astype(np.uint8)

    return draw


def frames(shape):
    """A frame in a frame in a frame."""
    page = Image.new("L", shape[::-1], "white")
    for inset in range(2, min(shape) // 2, 6):
        ImageDraw.Draw(page).rectangle((inset, inset, shape[1] - inset, shape[0] - inset), outline=0)
    return np.asarray(page)


def cells(side):
    """A table of small cells, each with a stroke in it."""
    cell = np.zeros((side + 4, side + 4), np.uint8)
    cell[:side, :side] = np.pad(np.zeros((side - 2, side - 2), np.uint8), 1, constant_values=255)
    cell[side // 4 : -side // 2, side // 2] = 255
    return lambda shape: tiled(cell, shape)


def rows(height, apart, turned=0):
    """Rows of handwritten digits; where `apart` is negative, they touch. All turned counterclockwise so often."""
    inks = [np.pad(tight(image, height), ((0, 4 + height // 5), (0, max(apart, 0)))) for image in DIGITS[:40]]
    tile = np.hstack([ink[:, : ink.shape[1] + min(apart, 0)] for ink in inks])
    return lambda shape: tiled(np.rot90(tile, turned), shape)


HOSTILE = {
    "dots": dots,
    "noise": noise(0.1),
    "coarse noise": noise(0.2, 3),
    "blocks": noise(0.1, 8),
    "a checkerboard": checkerboard,
    "thin stripes": stripes(5, 2),
    "thick stripes": stripes(13, 10),
    "frames": frames,
    "small cells": cells(12),
    "cells": cells(40),
    "tiny digits": rows(9, 4),
    "small digits": rows(14, 4),
    "digits": rows(40, 3),
    "touching digits": rows(40, -4),
    "digits on their side": rows(30, 5, turned=1),
}


@pytest.mark.parametrize(("shape", "images", "seconds"), SIZES, ids=lambda value: str(value).replace(" ", ""))
@pytest.mark.parametrize("name", HOSTILE)
def test_no_picture_takes_long(reader, monkeypatch, name, shape, images, seconds):
    seen, infer = [], reader.classifier.infer

    def counted(inputs):
        seen.append(len(inputs))
        return infer(inputs)

    monkeypatch.setattr(reader.classifier, "infer", counted)
    levels = HOSTILE[name](shape)
    start = time.process_time()
    reader.read(levels)
    assert time.process_time() - start < seconds
    assert sum(seen) <= images


@pytest.mark.parametrize("draw", [checkerboard, stripes(13, 10)])
def test_a_texture_is_refused(draw):
    with pytest.raises(TooManyError):
        connected_parts(draw((1000, 1000)) == 0)


def test_of_many_parts_the_largest_are_looked_at_and_all_have_labels():
    mask = dots((300, 300)) == 0
    labels, parts = connected_parts(mask)
    assert len(parts) == MOST_PARTS < labels.max()
    assert (parts[0].height, parts[0].width) == (292, 1)
    np.testing.assert_array_equal(labels > 0, mask)
