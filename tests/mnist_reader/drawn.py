"""Digits drawn with Pillow, what a close look finds in them, and what two images differ by."""

import io

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from mnist_reader.looks import close_look

DIGITS, LABELS = load_digits().images, load_digits().target  # 8×8, 0–16 = ink; the first ten are 0 to 9


def encoded(image, form="PNG", **options):
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def seven(size=200, ink=0, paper=255):
    """A seven off the middle of a grey picture."""
    large = Image.new("L", (2000, 2000), paper)
    ImageDraw.Draw(large).line([(400, 300), (1200, 300), (700, 1500)], fill=ink, width=160, joint="curve")
    return large.resize((size, size), Image.Resampling.BOX)


def bars_and_rings(text, mode="L"):
    """Bars for 1 and rings for 0, 80 pixels high and 80 apart, on white paper."""
    page = Image.new(mode, (80 * len(text) + 40, 120), "white")
    for left, digit in zip(range(30, 80 * len(text) + 30, 80), text, strict=True):
        if digit == "1":
            ImageDraw.Draw(page).rectangle((left + 20, 20, left + 29, 99), fill="black")
        else:
            ImageDraw.Draw(page).ellipse((left, 20, left + 55, 99), outline="black", width=10)
    return page


def tight(image, height):
    """An 8×8 image in 0–16 without its margin, enlarged to this height: `uint8`, 255 = ink."""
    ink = np.rint(image * (255 / 16)).astype(np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return np.asarray(ink.resize((round(ink.width * height / ink.height), height), Image.Resampling.BICUBIC))


def pasted(images, height, gaps=()):
    """The images in a row on white paper, `gaps` apart.

    Returns:
        Grey levels, and a box of left, top, right and bottom in pixels for each, without its palest edges.
    """
    inks = [tight(image, height) for image in images]
    page = np.full((2 * height, sum(ink.shape[1] for ink in inks) + sum(gaps) + height), 255, np.uint8)
    boxes, left, top = [], height // 2, height // 2
    for ink, gap in zip(inks, [*gaps, 0], strict=True):
        page[top : top + height, left : left + ink.shape[1]] = 255 - ink
        rows, columns = (np.flatnonzero((ink > 255 / 4).any(axis=axis)) for axis in (1, 0))
        boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
        left += ink.shape[1] + gap
    return page, boxes


def row(levels):
    """The close look at grey levels, and the parts of its only line."""
    look = close_look(levels)
    (line,) = look.lines
    return look, [token.part for token in line]


def inks(levels):
    """The ink of each digit of a row."""
    look, parts = row(levels)
    return [look.ink(part) for part in parts]


def difference(one, other):
    """Mean difference in grey levels over the ink of two images 28×28."""
    return float(np.abs(one.astype(int) - other)[(one > 0) | (other > 0)].mean())


def difference_of_shape(one, other):
    """The same, where one may lie a pixel beside the other: the centre of mass is rounded to whole pixels."""
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(difference(np.roll(one, step, axis=(0, 1)), other) for step in steps)
