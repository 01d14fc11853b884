"""The fifteen corruptions of MNIST-C, for images of any size.

Source: Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", arXiv 1906.02337, at the strengths of its
published files. Where that draws a pattern for each image, a few hundred are drawn here and handed out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.feature import canny

from studies.patterns import clouds, line, zigzag_line

Images = np.ndarray  # float32 (n, rows, columns) in 0–1, 1 = ink
Random = np.random.Generator


def corrupted(kind: str, images: np.ndarray, seed: int) -> np.ndarray:
    """The `uint8` images `(n, rows, columns)` under one of the CORRUPTIONS; the same seed gives the same bytes."""
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(kind)])
    found = CORRUPTIONS[kind](images.astype(np.float32) / 255, rng)
    return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)


def shot_noise(images: Images, rng: Random) -> Images:
    """As with so little light that full ink is three photons."""
    return rng.poisson(images * 3).astype(np.float32) / 3


def impulse_noise(images: Images, rng: Random) -> Images:
    """17 % of the pixels black or white."""
    return np.where(rng.random(images.shape) < 0.17, rng.integers(0, 2, images.shape), images)


def glass_blur(images: Images, rng: Random) -> Images:
    """As through frosted glass: blurred, pixels swapped with a neighbour at random, blurred again."""
    blurred = _smooth(images, 0.7)
    _, rows, columns = images.shape
    every = np.arange(len(images))
    for row in [*range(rows - 1, 1, -1)] * 2:
        for column in range(columns - 1, 1, -1):
            other = (every, row - rng.integers(0, 2, len(images)), column - rng.integers(0, 2, len(images)))
            chosen = rng.random(len(images)) < 0.5
            here, there = blurred[:, row, column].copy(), blurred[other]
            blurred[:, row, column] = np.where(chosen, there, here)
            blurred[other] = np.where(chosen, here, blurred[other])
    return _smooth(blurred, 0.7)


def motion_blur(images: Images, rng: Random) -> Images:
    """A trail that fades like half a Gaussian of 3 pixels, up to 45° from the horizontal."""
    angles = np.radians(rng.uniform(-45, 45, len(images)))
    weights = np.exp(-(np.arange(10) ** 2) / 18)
    found = np.zeros_like(images)
    for step, weight in enumerate(weights / weights.sum()):
        found += weight * _moved(images, step * np.sin(angles), step * np.cos(angles))
    return found


def shear(images: Images, rng: Random) -> Images:
    """Slanted by 0.4 radians, 23°, to the left or right."""
    return _either(images, rng, [[[np.cos(slant), 0], [-np.sin(slant), 1]] for slant in (-0.4, 0.4)])


def scale(images: Images, rng: Random) -> Images:
    """Reduced to 0.7 of the size."""
    return _either(images, rng, [[[1 / 0.7, 0], [0, 1 / 0.7]]])


def rotate(images: Images, rng: Random) -> Images:
    """Turned by 0.4 radians, 23°, to either side."""
    turns = [(np.cos(angle), np.sin(angle)) for angle in (-0.4, 0.4)]
    return _either(images, rng, [[[cos, sin], [-sin, cos]] for cos, sin in turns])


def brightness(images: Images, rng: Random) -> Images:
    """Half of full ink added to every pixel."""
    return images + 0.5


def translate(images: Images, rng: Random) -> Images:
    """Moved by three rows and three columns, towards one of the corners."""
    down, right = rng.choice([-3, 3], (2, len(images)))
    return _moved(np.pad(images, [(0, 0), (3, 3), (3, 3)]), down, right)[:, 3:-3, 3:-3]


def stripe(images: Images, rng: Random) -> Images:
    """The first and the last quarter of the columns inverted."""
    inverted, quarter = images.copy(), images.shape[2] // 4
    for part in (inverted[:, :, :quarter], inverted[:, :, -quarter:]):
        np.subtract(1, part, out=part)
    return inverted


def fog(images: Images, rng: Random) -> Images:
    """Mixed with three times as much of a cloud."""
    peak = images.max(axis=(1, 2), keepdims=True)
    return (images + 3 * clouds(images.shape, rng)) * peak / (peak + 3)


def spatter(images: Images, rng: Random) -> Images:
    """Spots of mud, a quarter as bright as ink."""
    drops = _smooth(rng.normal(0.65, 0.3, images.shape).astype(np.float32), 1)
    mud = _smooth((drops > 0.65).astype(np.float32), 1.5)
    mud[mud < 0.8] = 0
    return images * (1 - mud) + 63 / 255 * mud


def dotted_line(images: Images, rng: Random) -> Images:
    """A line from side to side, of which every other two columns are left out."""
    _, rows, columns = images.shape
    first, last = rng.integers(0, rows - 1, (2, len(images)))
    kept = np.arange(columns) // 2 % 2 == 1
    return images + _each(lambda a, b: line(images.shape[1:], (0, a), (columns - 1, b)) * kept, first, last)


def zigzag(images: Images, rng: Random) -> Images:
    """A nearly horizontal line that goes up and down by two pixels."""
    first = rng.integers(0, images.shape[1] - 1, len(images))
    rise = rng.integers(-5, 5, len(images))
    return images + _each(lambda row, rise: zigzag_line(images.shape[1:], row, rise), first, rise)


def canny_edges(images: Images, rng: Random) -> Images:
    """Only the outlines, as Canny's detector finds them."""
    return np.array([canny(image) for image in images], np.float32)


def _smooth(images: Images, sigma: float) -> Images:
    return ndimage.gaussian_filter(images, (0, sigma, sigma), mode="nearest")


def _moved(images: Images, down: np.ndarray, right: np.ndarray) -> Images:
    """Each image moved by whole pixels of its own; the pixels at its edges are repeated."""
    _, rows, columns = images.shape
    row = np.clip(np.arange(rows) - np.rint(down).astype(int)[:, None], 0, rows - 1)
    column = np.clip(np.arange(columns) - np.rint(right).astype(int)[:, None], 0, columns - 1)
    return images[np.arange(len(images))[:, None, None], row[:, :, None], column[:, None, :]]


def _either(images: Images, rng: Random, matrices: list[Any]) -> Images:
    """Each image under one of the matrices, which take a row and column of the result to those of the image."""
    chosen, found = rng.integers(len(matrices), size=len(images)), np.empty_like(images)
    middle = (np.array(images.shape[1:]) - 1) / 2
    for number, matrix in enumerate(map(np.array, matrices)):
        whole = np.block([[np.ones((1, 1)), np.zeros((1, 2))], [np.zeros((2, 1)), matrix]])
        offset = [0, *(middle - matrix @ middle)]
        found[chosen == number] = ndimage.affine_transform(images[chosen == number], whole, offset, order=1)
    return found


def _each(draw: Callable[..., np.ndarray], *numbers: np.ndarray) -> Images:
    """What `draw` makes of each image's numbers; what several images share is drawn once."""
    distinct, which = np.unique(np.stack(numbers, axis=1), axis=0, return_inverse=True)
    return np.stack([draw(*row) for row in distinct]).astype(np.float32)[which.ravel()]


CORRUPTIONS: dict[str, Callable[[Images, Random], Images]] = {
    function.__name__: function
    for function in (
        *(shot_noise, impulse_noise, glass_blur, motion_blur, shear, scale, rotate, brightness, translate, stripe),
        *(fog, spatter, dotted_line, zigzag, canny_edges),
    )
}
