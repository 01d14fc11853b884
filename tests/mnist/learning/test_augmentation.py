"""Random changes of images stay within their bounds, and reach them."""

import numpy as np
import pytest
from scipy import ndimage

from mnist.core.sections import Augmentation
from mnist.learning.augmentation import CHANGES, MOVING, augment
from mnist.learning.backend import tf

pytestmark = pytest.mark.slow


def distorted(images, seed=(1, 2), **bounds):
    return augment(tf.constant(images, tf.float32), Augmentation(**bounds), tf.constant(seed, tf.int64)).numpy()


def centroids(images):
    """Centre of the ink of each image, (row, column)."""
    ink = images[..., 0].astype(np.float64)
    total = ink.sum(axis=(1, 2))
    rows = (ink.sum(axis=2) * np.arange(28)).sum(axis=1) / total
    columns = (ink.sum(axis=1) * np.arange(28)).sum(axis=1) / total
    return np.column_stack([rows, columns])


def dots(row, column, n=64):
    images = np.zeros((n, 28, 28, 1), np.float32)
    images[:, row, column] = 1
    return images


@pytest.mark.parametrize("bound", [0.5, 1.5, 4.0])
def test_a_shift_moves_a_dot_by_at_most_the_bound(bound):
    found = distorted(dots(14, 10), shift=bound)
    assert found.sum(axis=(1, 2, 3)) == pytest.approx(np.ones(64), abs=1e-5)
    assert len({image.tobytes() for image in found}) == 64  # each in its own way
    moved = centroids(found) - [14, 10]
    assert np.abs(moved).max() <= bound + 1e-4
    assert np.abs(moved).max(axis=0).min() > 0.8 * bound  # on each axis the 64 draws come near it
    assert moved.min(axis=0).max() < 0 < moved.max(axis=0).min()  # to both sides


@pytest.mark.parametrize("bounds", [{"rotation": 30.0}, {"zoom": 0.2}, {"shear": 0.2}])
def test_rotation_zoom_and_shear_keep_the_centre(bounds):
    square = sum(dots(row, column) for row in (13, 14) for column in (13, 14))
    assert centroids(distorted(square, **bounds)) == pytest.approx(np.full((64, 2), 13.5), abs=1e-3)


def test_rotation_turns_by_at_most_the_bound():
    block = sum(dots(row, column) for row in (4, 5, 6) for column in (12, 13, 14, 15))
    row, column = (centroids(distorted(block, rotation=20.0)) - 13.5).T
    angles = np.degrees(np.arctan2(column, -row))
    assert np.abs(angles).max() <= 20.5  # resampling moves the centroid a little
    assert angles.min() < -10 and angles.max() > 10
    assert np.hypot(row, column) == pytest.approx(np.full(64, 8.5), abs=0.2)


@pytest.mark.parametrize(("bound", "smallest", "largest"), [(0.2, 1 / 1.2, 1 / 0.8), (0.1, 1 / 1.1, 1 / 0.9)])
def test_zoom_scales_by_at_most_the_bound(bound, smallest, largest):
    block = sum(dots(row, column) for row in (4, 5, 6) for column in (4, 5, 6))
    scales = (centroids(distorted(block, zoom=bound)) - 13.5) / -8.5
    assert scales.min() >= smallest - 0.02 and scales.max() <= largest + 0.02
    assert scales.min() < 1 - bound / 2 and scales.max() > 1 + bound / 2


def test_shear_moves_along_rows_alone():
    block = sum(dots(row, column) for row in (4, 5, 6) for column in (13, 14))
    moved = centroids(distorted(block, shear=0.2)) - [5, 13.5]
    assert moved[:, 0] == pytest.approx(np.zeros(64), abs=0.1)
    assert 0.8 < np.abs(moved[:, 1]).max() <= 0.2 * 8.5 + 0.1


def test_a_seed_gives_the_same_images_and_another_gives_others(real_digits):
    images = real_digits[0][:16, ..., None] / np.float32(255)
    bounds = {"shift": 2.0, "rotation": 10.0, "zoom": 0.1}
    assert distorted(images, **bounds).tobytes() == distorted(images, **bounds).tobytes()
    assert not np.array_equal(distorted(images, **bounds), distorted(images, seed=(1, 3), **bounds))
    assert not np.array_equal(distorted(images, **bounds), distorted(images, seed=(0, 2), **bounds))


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_a_flip_mirrors_that_fraction_of_the_images_left_to_right(real_digits, fraction):
    images = real_digits[0][:400, ..., None] / np.float32(255)
    found = distorted(images, flip=fraction)
    mirrored = np.isclose(found, images[:, :, ::-1], atol=1e-5).all(axis=(1, 2, 3))
    assert (mirrored | np.isclose(found, images, atol=1e-5).all(axis=(1, 2, 3))).all()
    assert mirrored.mean() == pytest.approx(fraction, abs=0.1)


def test_a_flip_comes_on_top_of_a_shift():
    moved = centroids(distorted(dots(14, 10), shift=1.0, flip=1.0)) - [14, 17]
    assert 0.7 < np.abs(moved).max() <= 1 + 1e-4


def test_every_setting_changes_something_and_none_nothing(real_digits):
    images = real_digits[0][:16, ..., None] / np.float32(255)
    np.testing.assert_array_equal(distorted(images), images)
    assert {*MOVING, *CHANGES} == set(Augmentation.model_fields)
    for name in Augmentation.model_fields:
        assert not np.allclose(distorted(images, **{name: 0.5}), images), name


def test_strokes_become_thicker_and_thinner_by_at_most_the_bound():
    bar = np.zeros((256, 28, 28, 1), np.float32)
    bar[:, 4:24, 12:16] = 1
    widths = distorted(bar, stroke=0.5)[:, 14].sum(axis=(1, 2))
    assert widths.min() == pytest.approx(3, abs=0.05) and widths.max() == pytest.approx(5, abs=0.05)
    assert widths.mean() == pytest.approx(4, abs=0.15)


def test_a_share_of_the_images_has_ink_and_paper_changed_in_bands_of_up_to_a_quarter_at_their_sides():
    paper, ink = (distorted(np.full((2048, 28, 28, 1), level, np.float32), bands=0.5)[..., 0] for level in (0, 1))
    np.testing.assert_allclose(paper, 1 - ink, atol=1e-6)
    assert not paper[:, 7:-7, 7:-7].any()
    banded = paper.any(axis=(1, 2))
    assert banded.mean() == pytest.approx(0.5 * (1 - 0.5**4), abs=0.03)  # a side has none half of the time
    for side in (paper[:, 14, :7], paper[:, 14, :-8:-1], paper[:, :7, 14], paper[:, :-8:-1, 14]):
        widths = (side > 0).sum(axis=1)
        assert np.bincount(widths[widths > 0], minlength=8)[1:].min() > 0
        assert (np.diff(side, axis=1) <= 0).all()  # without a gap
    levels = paper.max(axis=(1, 2))[banded]
    assert 0.3 <= levels.min() < 0.35 and levels.max() > 0.99


def test_blur_goes_as_far_as_a_gaussian_of_one_pixel():
    found = distorted(dots(14, 14, n=512), blur=1.0)[..., 0]
    gaussian = ndimage.gaussian_filter(dots(14, 14, n=1)[0, ..., 0], 1)
    assert found[:, 14, 14].min() == pytest.approx(gaussian[14, 14], abs=0.03)
    assert np.median(found[:, 14, 14]) > 0.7  # most are blurred a little only
    assert found.sum(axis=(1, 2)) == pytest.approx(np.ones(512), abs=1e-5)
    assert distorted(dots(14, 14), blur=0.5)[:, 14, 14].min() > 0.5


def test_contrast_is_lost_up_to_the_bound_and_the_paper_turns_grey():
    half = np.zeros((512, 28, 28, 1), np.float32)
    half[:, :, 14:] = 1
    found = distorted(half, contrast=0.8)[..., 0]
    assert found.min() >= 0 and found.max() <= 1
    steps = found[:, 14, 14] - found[:, 14, 13]
    assert 0.15 < steps.min() < 0.35 and np.median(steps) > 0.7
    paper = found[:, :, :14]
    assert paper.max() > 0.5 and np.median(paper.max(axis=(1, 2))) < 0.25
    lighter = paper[:, 0].mean(axis=1) - paper[:, -1].mean(axis=1)
    assert lighter.min() < -0.2 and lighter.max() > 0.2


def test_noise_has_a_deviation_up_to_the_bound_and_stays_between_paper_and_ink():
    found = distorted(np.full((512, 28, 28, 1), 0.5, np.float32), noise=0.2)
    deviations = found.std(axis=(1, 2, 3))
    assert 0.18 < deviations.max() < 0.21 and deviations.min() < 0.001
    assert np.median(deviations) == pytest.approx(0.05, abs=0.015)
    assert found.min() >= 0 and found.max() <= 1
