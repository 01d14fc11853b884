"""Ones with a flag, and sevens, drawn with a pen: MNIST's writers hardly ever gave a 1 a flag."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mnist.learning.drawings import SIDE, Ink, as_ink, slanted
from mnist_reader.core.normalisation import normalised, trimmed
from mnist_reader.core.pixels import SHAPE, Shape

Points = list[tuple[float, float]]  # column, row in 0–1, from the top left corner
CURVE = 8  # straight pieces of a curved stroke


def penned(
    count: int, classes: list[str], rng: np.random.Generator, shape: Shape = SHAPE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` images of the classes 1 and 7; none where there is no such class.

    Returns:
        `uint8` `(n, *shape)`, fitted and centred as MNIST's images are, and the labels `(n,)`.
    """
    labels = [classes.index(name) for name in DRAWN if name in classes]
    chosen = rng.choice(labels, count).tolist() if labels else []
    images = [normalised(trimmed(_ink(DRAWN[classes[label]](rng), rng)), shape) for label in chosen]
    return np.array(images, np.uint8).reshape(-1, *shape), np.array(chosen, int)


def one(rng: np.random.Generator) -> list[Points]:
    """A stem, a flag that hangs from its top, and at times a foot; in print the flag may be nearly level."""
    is_print = rng.random() < 0.35
    bottom = 0.0 if is_print else float(rng.uniform(-0.5, 0.1))
    length = rng.uniform(0.22, 0.42) if is_print else rng.uniform(0.15, 0.85)
    angle = np.radians(rng.uniform(15, 45) if is_print else rng.uniform(30, 70))
    flag = (-float(length * np.cos(angle)), float(length * np.sin(angle)))
    bend = 0.0 if is_print else 0.1
    strokes = [_bent(flag, (0, 0), rng, bend), _bent((0, 0), (bottom, 1), rng, bend)]
    if rng.random() < 0.15:
        left, right = rng.uniform(0.1, 0.35, 2).tolist()
        strokes.append([(bottom - left, 1), (bottom + right, 1)])
    return strokes


def seven(rng: np.random.Generator) -> list[Points]:
    """A bar that is nearly level, a stem that leans to the right, and at times a hook at the bar or a stroke across."""
    width, bottom = rng.uniform(0.4, 0.75), float(-rng.uniform(0.1, 0.5))
    bar = (-float(width), float(width * np.tan(np.radians(rng.uniform(-10, 12)))))
    strokes = [_bent(bar, (0, 0), rng), _bent((0, 0), (bottom, 1), rng)]
    if rng.random() < 0.3:
        strokes.append([bar, (bar[0] + float(rng.uniform(-0.08, 0.08)), bar[1] + float(rng.uniform(0.08, 0.25)))])
    if rng.random() < 0.4:
        at, reach, rise = rng.uniform(0.4, 0.6), rng.uniform(0.15, 0.35), rng.uniform(-0.08, 0.08)
        middle = bottom * at
        strokes.append([(float(middle - reach), float(at + rise)), (float(middle + reach), float(at - rise))])
    return strokes


DRAWN: dict[str, Callable[[np.random.Generator], list[Points]]] = {"1": one, "7": seven}


def _bent(start: tuple[float, float], end: tuple[float, float], rng: np.random.Generator, bend: float = 0.05) -> Points:
    """A stroke that bulges to one side, by `bend` of its length as a standard deviation."""
    across = rng.normal(0, bend) * np.array([start[1] - end[1], end[0] - start[0]])
    along = np.linspace(0, 1, CURVE + 1)[:, None]
    points = np.array(start) * (1 - along) + np.array(end) * along + 4 * along * (1 - along) * across
    return [(float(x), float(y)) for x, y in points]


def _ink(strokes: list[Points], rng: np.random.Generator) -> Ink:
    """The strokes with a round or a square pen."""
    scale, pen = 0.75 * SIDE, int(rng.integers(2, 11))
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw, round_ = ImageDraw.Draw(image), rng.random() < 0.7
    for points in strokes:
        places = [(SIDE + scale * x, SIDE + scale * (y - 0.5)) for x, y in points]
        draw.line(places, 255, pen, joint="curve")
        for x, y in places if round_ else places[:0]:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), 255)
    soft = image.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0.5, 1]))))
    return as_ink(slanted(soft, rng))
