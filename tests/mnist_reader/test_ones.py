"""A 1 with a flag and no foot, as in most fonts without serifs and in European hands, is no 7 to the released model."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.mnist_reader.pages import released_reader

HEIGHT = 80  # pixels of a digit


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    reader = released_reader(tmp_path_factory.mktemp("model"))
    return lambda images: [(reading.text, reading.unsure) for reading in reader.read_many(images)]


def drawn(*strokes, thick):
    """Dark strokes on light paper, each a line through points `(column, row)` in heights of the digit."""
    image = Image.new("L", (160, 140), 235)
    for stroke in strokes:
        points = [(80 + HEIGHT * x, 30 + HEIGHT * y) for x, y in stroke]
        ImageDraw.Draw(image).line(points, 40, thick, joint="curve")
    return image


def flagged(length, angle, lean, thick):
    """A one whose flag, so long and so many degrees below the horizontal, hangs from a stem that leans."""
    x, y = length * math.cos(math.radians(angle)), length * math.sin(math.radians(angle))
    return drawn([(-x, y), (0, 0), (-lean, 1)], thick=thick)


@pytest.mark.parametrize("thick", [4, 8, 14])
def test_of_ones_with_a_flag_at_most_one_in_ten_is_a_sure_seven(read, thick):
    rng = np.random.default_rng(thick)
    ones = [flagged(rng.uniform(0.25, 0.5), rng.uniform(30, 60), rng.uniform(0, 0.2), thick) for _ in range(60)]
    answers = read(ones)
    assert sum(text == "1" for text, _ in answers) >= 54
    assert sum(text == "7" and not unsure for text, unsure in answers) <= 6


@pytest.mark.parametrize("barred", [False, True])
def test_sevens_stay_sevens(read, barred):
    rng = np.random.default_rng(0)
    sevens = []
    for _ in range(60):
        width, lean, thick = rng.uniform(0.45, 0.7), rng.uniform(0.15, 0.4), int(rng.integers(4, 12))
        across = [[(-lean / 2 - 0.2, 0.5), (-lean / 2 + 0.2, 0.5)]] if barred else []
        sevens.append(drawn([(-width, 0.02), (0, 0), (-lean, 1)], *across, thick=thick))
    assert sum(text == "7" for text, _ in read(sevens)) >= 57
