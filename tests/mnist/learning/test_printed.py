"""Printed images of the classes."""

import numpy as np
import scipy.ndimage

from mnist.learning.printed import printed

HOLES = {0: 1, 1: 0, 2: 0, 3: 0, 5: 0, 6: 1, 7: 0, 8: 2, 9: 1}  # a 4 is open in some fonts


def test_printed_digits_have_the_holes_of_what_they_are_called():
    found, names = printed(400, [str(digit) for digit in range(10)], np.random.default_rng(0))
    assert found.shape == (400, 28, 28) and found.dtype == np.uint8
    sharp = slice(1, None, 2)
    holes = np.array([scipy.ndimage.label(image < 128)[1] - 1 for image in found[sharp]])
    assert {digit: np.median(holes[names[sharp] == digit]) for digit in HOLES} == HOLES


def test_only_classes_of_one_sign_that_shows_are_printed():
    found, names = printed(40, ["Sandal", "x", " "], np.random.default_rng(0))
    assert set(names) == {1} and 5 < len(found) == len(names) < 40
    found, names = printed(40, ["Sandal", "Bag"], np.random.default_rng(0))
    assert found.shape == (0, 28, 28) and names.shape == (0,)
