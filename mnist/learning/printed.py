"""Printed images of the classes, because MNIST's are all written by hand, most of them without a serif."""

import numpy as np

from mnist.learning.blurred import blurred
from mnist.learning.fonts import TRAINED, character
from mnist_reader.core.normalisation import normalised, trimmed
from mnist_reader.core.pixels import SHAPE, Shape


def printed(
    count: int, classes: list[str], rng: np.random.Generator, shape: Shape = SHAPE
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` images of the classes whose name is a single character; none where there is no such class.

    Returns:
        `uint8` `(n, *shape)`, fitted and centred as MNIST's images are and every other one blurred; and the labels
        `(n,)`.
    """
    single = [label for label, name in enumerate(classes) if len(name) == 1]
    chosen = rng.choice(single, count).tolist() if single else []
    drawn = [(label, trimmed(character(classes[label], str(rng.choice(TRAINED)), rng))) for label in chosen]
    drawn = [(label, normalised(ink, shape)) for label, ink in drawn if ink.size]  # a space leaves none
    images = np.array([image for _, image in drawn], np.uint8).reshape(-1, *shape)
    images[::2] = blurred(images[::2], rng)
    return images, np.array([label for label, _ in drawn], int)
