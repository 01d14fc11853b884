"""Where the random numbers of a training come from."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are for."""

    ORDER = 0  # of the images
    DISTORTION = 1  # of each image
    LAYER = 2  # dropout and its like
    OUT_OF_CLASS = 3  # pictures of no class
    BLUR = 4  # blurred copies of images
    PRINT = 5  # printed images
    PEN = 6  # images drawn with a pen


def derive_seed(seed: int, epoch: int, purpose: Purpose, index: int = 0) -> np.ndarray:
    """Two `uint32` to seed a generator with, which depend on all four numbers and on nothing else.

    So an epoch draws the same numbers whether the training came from the start or from a checkpoint.
    """
    return np.random.SeedSequence([seed, epoch, purpose, index]).generate_state(2)
