"""Blurred copies of images keep their place and lose their detail."""

import numpy as np

from mnist.learning.blurred import blurred


def test_a_chessboard_of_single_pixels_becomes_grey_and_a_bar_stays_a_bar():
    chessboard = (np.indices((28, 28)).sum(axis=0) % 2 * 255).astype(np.uint8)
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 12:16] = 255
    grey, soft = blurred(np.stack([chessboard, bar]), np.random.default_rng(0))
    assert np.ptp(grey[6:22, 6:22].astype(int)) < 60
    rows, columns = np.flatnonzero((soft > 64).any(axis=1)), np.flatnonzero((soft > 64).any(axis=0))
    assert len(rows) >= 18 and len(columns) <= 9
    assert len(np.unique(soft)) > 10


def test_blank_images_stay_blank_and_no_images_stay_none():
    blank = np.zeros((2, 28, 28), np.uint8)
    assert not blurred(blank, np.random.default_rng(0)).any()
    assert len(blurred(blank[:0], np.random.default_rng(0))) == 0
