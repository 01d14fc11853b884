"""Pages of handwritten digits, drawn by code in any light, and the released reader to read them.

The digits are scikit-learn's, by other writers than MNIST's, whose strokes are drawn again with a pen. Only digits that
the reader reads alone on clean paper are written, so that a page fails for what is on it, and not for its digits.
"""

import zipfile
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw
from scipy import ndimage
from skimage.morphology import skeletonize

from mnist_reader import Reader
from tests.conftest import ROOT
from tests.mnist_reader.drawn import DIGITS, LABELS, tight

LEGIBLE = 0.95  # confidence, at least, in a digit alone
MARKS = ".,"
EMPTY = "_"  # a cell without a digit


class Page(NamedTuple):
    """What is written, and where."""

    ink: np.ndarray  # float (rows, columns), 0 = paper, 1 = full ink
    text: str
    boxes: np.ndarray  # (digits, 4): left, top, right, bottom of each in pixels, in the order of the text


def released_reader(folder):
    """The reader with the model of the released wheel, which is unpacked into this folder."""
    (wheel,) = ROOT.glob("released/*.whl")
    with zipfile.ZipFile(wheel) as files:
        return Reader(files.extract("mnist_reader/model.onnx", folder))


def pen(image, height, thick):
    """An 8×8 image, so high, in strokes so thick, both in pixels: a grey image, 255 = ink, without a margin."""
    strokes = skeletonize(np.pad(tight(image, height - thick) > 127, thick))
    ink = Image.fromarray(np.uint8(255 * np.clip(thick / 2 + 0.5 - ndimage.distance_transform_edt(~strokes), 0, 1)))
    return ink.crop(ink.getbbox())


def photo(ink, light=1.0, paper=225, pen=45, noise=2):
    """Grey levels of ink on paper in this light, with a camera's noise."""
    grains = np.random.default_rng(0).normal(0, noise, ink.shape)
    return np.clip(np.rint((paper + (pen - paper) * ink) * light + grains), 0, 255).astype(np.uint8)


class Writer:
    """Writes digits that the reader reads alone."""

    def __init__(self, reader):
        self.rng = np.random.default_rng(0)
        self.images = {str(digit): [] for digit in range(10)}
        for image, label in zip(DIGITS[:400], map(str, LABELS[:400]), strict=True):
            alone = reader.read(photo(np.pad(pen(image, 80, 7), 20) / 255))
            if alone.text == label and alone.confidence >= LEGIBLE and not alone.unsure:
                self.images[label].append(image)

    def number(self, fewest, most=None):
        """A number of so many digits."""
        return "".join(self.rng.choice(list("0123456789"), self.rng.integers(fewest, (most or fewest) + 1)))

    def lines(self, fewest, most=None, digits=(3, 7)):
        """So many numbers."""
        return [self.number(*digits) for _ in range(self.rng.integers(fewest, (most or fewest) + 1))]

    def digit(self, label, height, thick):
        images = self.images[label]
        size = round(height * self.rng.uniform(0.9, 1.1))
        return pen(images[self.rng.integers(len(images))], size, thick)

    def page(self, lines, height=60, thick=6, gaps=(0.2, 0.5), slope=0.0, apart=1.8):
        """These lines on a page; gaps and lines apart in heights of a digit, which is also the margin."""
        wide = max(map(len, lines)) * (1.1 + gaps[1]) + 2
        deep = len(lines) * apart + 2 + abs(slope) * wide
        ink = Image.new("L", (round(wide * height), round(deep * height)))
        boxes = []
        for number, line in enumerate(lines):
            foot, left = (2 + number * apart + max(-slope, 0) * wide) * height, height
            for sign in line:
                left += self.put(ink, boxes, sign, (round(left), round(foot + slope * left)), height, thick)
                left += 0.08 * height if sign in MARKS else self.rng.uniform(*gaps) * height
        return Page(np.asarray(ink) / 255, "\n".join(lines), np.array(boxes))

    def form(self, text):
        """A row of cells 100 pixels wide and high, with a sign in each that is no EMPTY."""
        ink = Image.new("L", (100 * len(text) + 100, 200))
        boxes, draw = [], ImageDraw.Draw(ink)
        for left, sign in zip(range(50, ink.width, 100), text, strict=False):
            draw.rectangle((left, 50, left + 100, 150), outline=180, width=2)
            if sign != EMPTY:
                self.put(ink, boxes, sign, (left + int(self.rng.integers(20, 40)), 135), 60, 6)
        return Page(np.asarray(ink) / 255, text.replace(EMPTY, ""), np.array(boxes))

    def put(self, ink, boxes, sign, place, height, thick):
        """Write one sign with its left foot here; say how wide it is."""
        left, foot = place
        if sign in MARKS:
            radius = height // 12
            draw, middle = ImageDraw.Draw(ink), (left + radius, foot - radius)
            draw.circle(middle, radius, 255)
            if sign == ",":
                draw.line([middle, (left, foot + height // 7)], 255, thick)
            return 2 * radius
        digit = self.digit(sign, height, thick)
        box = (left, foot - digit.height, left + digit.width, foot)
        ink.paste(ImageChops.lighter(ink.crop(box), digit), box)
        boxes.append(box)
        return digit.width
