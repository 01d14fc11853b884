"""Ones and sevens drawn with a pen."""

import numpy as np
import scipy.ndimage

from mnist.learning.penned import penned

DIGITS = [str(digit) for digit in range(10)]


def drop(image):
    """By how much of its height the upper half's leftmost ink lies below the top, 0–1."""
    rows, columns = np.nonzero(image[: image.shape[0] // 2] > 128)
    return (rows[columns == columns.min()].mean() - rows.min()) / 20


def test_the_flag_of_a_one_hangs_and_the_bar_of_a_seven_is_nearly_level():
    images, labels = penned(400, DIGITS, np.random.default_rng(0))
    drops = {label: [drop(image) for image in images[labels == label]] for label in (1, 7)}
    assert np.median(drops[1]) > 0.2 > 0.15 > np.median(drops[7])


def test_they_are_drawn_in_one_piece_and_fitted_as_mnist_s_images_are():
    images, labels = penned(400, DIGITS, np.random.default_rng(0))
    assert (images.shape, images.dtype, set(labels.tolist())) == ((400, 28, 28), np.uint8, {1, 7})
    pieces = [scipy.ndimage.label(image > 64, np.ones((3, 3)))[1] for image in images]
    assert np.mean(np.array(pieces) == 1) > 0.99
    heights = [np.ptp(np.flatnonzero((image > 32).any(axis=1))) + 1 for image in images]
    assert np.mean([18 <= height <= 21 for height in heights]) > 0.9
    masses = np.array([scipy.ndimage.center_of_mass(image) for image in images])
    assert np.abs(masses - 14).max() < 0.51  # the pixel that MNIST centres by mass


def test_only_classes_that_the_data_set_has_are_drawn():
    images, labels = penned(20, ["7", "Bag"], np.random.default_rng(0))
    assert images.shape == (20, 28, 28) and set(labels.tolist()) == {0}
    images, labels = penned(20, ["Sandal", "Bag"], np.random.default_rng(0))
    assert images.shape == (0, 28, 28) and labels.shape == (0,)
