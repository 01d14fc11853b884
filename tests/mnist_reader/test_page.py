"""A look from afar: frames are told by what is inside them, and lines of digits from all else on a page."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.ink import NoInkError
from mnist_reader.page import TooManyError, page_look


def page_of(draw, size=(900, 500)):
    page = Image.new("L", size, 220)
    draw(ImageDraw.Draw(page))
    return np.asarray(page)


def bars(pen, *lines, first=100):
    """Bars for digits: 60 pixels high, 50 apart, the lines 120 apart."""
    for number, count in enumerate(lines):
        for left in range(first, first + 50 * count, 50):
            top = 60 + 120 * number
            pen.rectangle((left, top, left + 9, top + 59), fill=30)


def places(levels):
    look = page_look(levels)
    return [[tuple(look.box(token.part)[:2]) for token in line] for line in look.lines]


def expected(*lines):
    return [[(100 + 50 * column, 60 + 120 * row) for column in range(count)] for row, count in enumerate(lines)]


DIRT = {
    "nothing": lambda pen: None,
    "a frame": lambda pen: pen.rectangle((40, 20, 860, 480), outline=30, width=4),
    "a frame around each line": lambda pen: [
        pen.rectangle((85, y, 360, y + 80), outline=30, width=3) for y in (50, 170, 290)
    ],
    "cells": lambda pen: [
        pen.rectangle((x, y, x + 50, y + 90), outline=90, width=2) for x in range(80, 330, 50) for y in (45, 165, 285)
    ],
    "a blot": lambda pen: pen.rectangle((600, 300, 660, 360), fill=30),
    "a line under them": lambda pen: pen.line((80, 440, 800, 444), fill=30, width=4),
    "a bar that the edge cuts off": lambda pen: pen.rectangle((895, 100, 899, 130), fill=30),
    "a short stroke on its own": lambda pen: pen.rectangle((600, 430, 609, 463), fill=30),
    "what shines through": lambda pen: [pen.rectangle((x, 60, x + 9, 119), fill=195) for x in range(500, 800, 60)],
    "pale spots": lambda pen: [pen.ellipse((x, 30, x + 6, 36), fill=190) for x in range(50, 800, 90)],
}


@pytest.mark.parametrize("name", DIRT)
def test_what_else_is_on_a_page_changes_nothing_in_its_lines(name):
    def draw(pen):
        bars(pen, 5, 3, 4)
        DIRT[name](pen)

    found = places(page_of(draw))
    assert list(map(len, found)) == [5, 3, 4]
    for line, wanted in zip(found, expected(5, 3, 4), strict=True):
        assert np.abs(np.subtract(line, wanted)).max() <= 2


def test_a_page_of_more_digits_than_anyone_writes_is_refused():
    def dense(pen):
        for top in range(20, 1180, 30):
            for left in range(20, 1180, 30):
                pen.rectangle((left, top, left + 3, top + 18), fill=30)

    with pytest.raises(TooManyError):
        page_look(page_of(dense, (1200, 1200)))


@pytest.mark.parametrize("level", [0, 220, 255])
def test_a_page_without_digits_is_empty(level):
    with pytest.raises(NoInkError):
        page_look(np.full((400, 600), level, np.uint8))
