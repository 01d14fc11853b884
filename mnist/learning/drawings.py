"""Noise, textures, lines, shapes and signs: pictures of no class, drawn at random."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Ink = np.ndarray  # float32 (rows, columns) in 0–1
SIDE = 48  # pixels of what is drawn, before it is fitted into 20×20


def slanted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The image turned by up to 12 degrees, slanted by up to a quarter, and up to a quarter wider or narrower."""
    angle, shear, width = math.radians(rng.uniform(-12, 12)), rng.uniform(-0.25, 0.25), rng.uniform(0.8, 1.25)
    a, b, c, d = math.cos(angle) * width, shear - math.sin(angle), math.sin(angle), math.cos(angle)
    middle = image.width / 2
    data = (a, b, middle * (1 - a - b), c, d, middle * (1 - c - d))
    return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def as_ink(image: Image.Image) -> Ink:
    """The image's levels, 255 = full ink."""
    return np.asarray(image, np.float32) / 255


def _box(rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns, the longer of which is 40."""
    other = int(rng.integers(14, 41))
    return (40, other) if rng.random() < 0.5 else (other, 40)


def noise(rng: np.random.Generator, _: object = None) -> Ink:
    """White or soft noise, grey or in two levels."""
    image = Image.fromarray(rng.integers(0, 256, _box(rng), np.uint8))
    ink = as_ink(image.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0, 1, 2, 4])))))
    ink = (ink - ink.min()) / np.ptp(ink)
    if rng.random() < 0.6:
        ink = np.where(ink > np.quantile(ink, rng.uniform(0.2, 0.9)), 1, 0)
    return ink.astype(np.float32)


def texture(rng: np.random.Generator, _: object = None) -> Ink:
    """Stripes, or two kinds of stripes that cross, with soft or hard edges."""
    rows, columns = rng.integers(28, 41, 2)
    waves = _waves(rng, rows, columns)
    if rng.random() < 0.5:
        waves *= _waves(rng, rows, columns)
    ink = waves > rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else (waves + 1) / 2
    return ink.astype(np.float32)


def _waves(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    angle = rng.uniform(0, math.pi) if rng.random() < 0.7 else math.pi / 2 * rng.integers(2)
    period = rng.uniform(3, 0.5 * min(rows, columns))  # so that there are two stripes or more
    return np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / period + rng.uniform(0, 2 * math.pi))


def strokes(rng: np.random.Generator, _: object = None) -> Ink:
    """Three to seven lines at random."""
    image = Image.new("L", (SIDE, SIDE))
    for _ in range(rng.integers(3, 8)):
        points = rng.uniform(3, SIDE - 3, (rng.integers(2, 4), 2)).ravel().tolist()
        ImageDraw.Draw(image).line(points, 255, int(rng.integers(1, 6)), joint="curve")
    return as_ink(image)


def ruled(rng: np.random.Generator, _: object = None) -> Ink:
    """Lines of a page, or squared paper."""
    image = Image.new("L", (SIDE, SIDE))
    gap, width, squared = int(rng.integers(6, 21)), int(rng.integers(1, 5)), rng.random() < 0.5
    for at in range(int(rng.integers(gap)), SIDE, gap):
        ImageDraw.Draw(image).line((0, at, SIDE, at), 255, width)
        if squared:
            ImageDraw.Draw(image).line((at, 0, at, SIDE), 255, width)
    return as_ink(slanted(image, rng) if rng.random() < 0.3 else image)


def shape(rng: np.random.Generator, _: object = None) -> Ink:
    """One to four filled rectangles, ellipses or polygons, plain or patterned."""
    image = Image.new("L", (SIDE, SIDE))
    for _ in range(rng.integers(1, 5)):
        draw, level = ImageDraw.Draw(image), int(rng.integers(60, 256))
        corners = np.sort(rng.uniform(0, SIDE, (2, 2)), axis=0).ravel().tolist()
        kind = rng.integers(3)
        if kind == 0:
            draw.rectangle(corners, level)
        elif kind == 1:
            draw.ellipse(corners, level)
        else:
            draw.polygon(rng.uniform(0, SIDE, (rng.integers(3, 8), 2)).ravel().tolist(), level)
    return as_ink(image) if rng.random() < 0.4 else _patterned(image, 0.4, rng)


def _patterned(image: Image.Image, least: float, rng: np.random.Generator) -> Ink:
    """The image's ink, of which a pattern leaves this fraction or more."""
    pattern = (noise if rng.random() < 0.5 else texture)(rng)
    return as_ink(image) * (least + (1 - least) * np.asarray(Image.fromarray(pattern).resize(image.size)))


def silhouette(rng: np.random.Generator, _: object = None) -> Ink:
    """Something solid with two like halves, as a vase, a bag or a shirt, plain or patterned, at times with a handle."""
    heights = np.concatenate([[0], np.sort(rng.uniform(0.05, 0.95, int(rng.integers(1, 6)))), [1]])
    widths = rng.uniform(0.15, 1, len(heights)) * rng.uniform(0.25, 0.5)
    rows, middle = 4 + heights * (SIDE - 8), SIDE / 2
    left = [(middle - SIDE * width, row) for width, row in zip(widths, rows, strict=True)]
    image = Image.new("L", (SIDE, SIDE))
    draw, level = ImageDraw.Draw(image), int(rng.integers(100, 256))
    draw.polygon([*left, *((SIDE - column, row) for column, row in reversed(left))], level)
    if rng.random() < 0.3:
        reach, rise = (SIDE * rng.uniform(0.1, 0.3, 2)).tolist()
        box = (middle - reach, rows[0] - rise, middle + reach, rows[0] + rise)
        draw.arc(box, 180, 360, level, int(rng.integers(1, 5)))
    return as_ink(image) if rng.random() < 0.5 else _patterned(image, 0.6, rng)


def plus(rng: np.random.Generator) -> Ink:
    """Two lines that cross, one of them level."""
    return _crossed(rng, 0)


def cross(rng: np.random.Generator) -> Ink:
    """Two lines that cross, both of them slanted."""
    return _crossed(rng, math.pi / 4)


def _crossed(rng: np.random.Generator, turn: float) -> Ink:
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw, pen = ImageDraw.Draw(image), int(rng.integers(2, 9))
    for angle in np.array([turn, turn + math.pi / 2]) + rng.uniform(-0.2, 0.2, 2):
        x, y = 18 * math.cos(angle) * rng.uniform(0.6, 1), 18 * math.sin(angle) * rng.uniform(0.6, 1)
        draw.line((SIDE - x, SIDE - y, SIDE + x, SIDE + y), 255, pen)
    return as_ink(slanted(image, rng))


def comma(rng: np.random.Generator) -> Ink:
    """A round head with a tail."""
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw, pen, head, length = ImageDraw.Draw(image), int(rng.integers(2, 9)), rng.uniform(6, 10), rng.uniform(14, 30)
    draw.ellipse((SIDE - head, SIDE - head, SIDE + head, SIDE + head), 255)
    draw.line((SIDE + head - pen / 2, SIDE, SIDE - head * rng.uniform(0, 1), SIDE + length), 255, pen)
    return as_ink(slanted(image, rng))
