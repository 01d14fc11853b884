"""Each corruption does to an image what MNIST-C says it does."""

import numpy as np
import pytest
from skimage import feature, transform

from studies.corruptions import CORRUPTIONS, corrupted

PUBLISHED = [
    *("shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate", "brightness"),
    *("translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges"),
]
TURNS = [(np.cos(angle), np.sin(angle)) for angle in (0.4, -0.4)]


@pytest.fixture(scope="module")
def images(real_digits):
    return real_digits[0][:200]


@pytest.fixture(scope="module")
def changed(images):
    return {kind: corrupted(kind, images, 0) for kind in CORRUPTIONS}


def blank(kind, value=0, count=50):
    return corrupted(kind, np.full((count, 28, 28), value, np.uint8), 0)


def test_the_fifteen_of_the_paper_change_every_image_and_the_same_seed_gives_the_same_bytes(images, changed):
    assert list(changed) == PUBLISHED
    for kind, found in changed.items():
        assert found.shape == images.shape and found.dtype == np.uint8
        assert (found != images).any(axis=(1, 2)).all(), kind
        assert np.array_equal(found, corrupted(kind, images, 0)), kind
        drawn = kind not in ("brightness", "scale", "stripe", "canny_edges")
        assert np.array_equal(found, corrupted(kind, images, 1)) != drawn, kind


@pytest.mark.parametrize("kind", PUBLISHED)
def test_images_may_have_another_shape(kind):
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 40), np.uint8)
    assert corrupted(kind, images, 0).shape == (3, 24, 40)


def test_half_of_full_ink_is_added(images, changed):
    expected = np.minimum(images.astype(float) + 127.5, 255)
    assert np.abs(changed["brightness"] - expected).max() <= 0.5


def test_the_outer_quarters_are_inverted(images, changed):
    expected = images.copy()
    expected[:, :, :7], expected[:, :, 21:] = 255 - images[:, :, :7], 255 - images[:, :, 21:]
    assert np.array_equal(changed["stripe"], expected)


def test_images_move_by_three_pixels_towards_each_corner(images, changed):
    wide = np.pad(images, [(0, 0), (3, 3), (3, 3)])
    moved = [wide[:, row : row + 28, column : column + 28] for row in (0, 6) for column in (0, 6)]
    equal = np.array([(changed["translate"] == each).all(axis=(1, 2)) for each in moved])
    assert equal.any(axis=0).all() and equal.any(axis=1).all()


def test_light_arrives_in_thirds_and_is_right_in_the_mean():
    found = blank("shot_noise", 51, count=500)  # a fifth of full ink: 0.6 photons
    assert set(np.unique(found)) == {0, 85, 170, 255}
    shares = [(found == value).mean() for value in (0, 85, 170)]
    assert shares == pytest.approx([np.exp(-0.6) * each for each in (1, 0.6, 0.18)], abs=0.005)  # Poisson's


def test_a_sixth_of_the_pixels_become_black_or_white():
    found = blank("impulse_noise", 100, count=500)
    assert (found == 0).mean() == pytest.approx(0.085, abs=0.003)
    assert (found == 255).mean() == pytest.approx(0.085, abs=0.003)
    assert ((found == 0) | (found == 100) | (found == 255)).all()


@pytest.mark.parametrize("kind", ["rotate", "scale", "shear"])
def test_shapes_change_as_scikit_image_changes_them(images, changed, kind):
    matrices = {  # sines and cosines of 0.4 radians to either side
        "rotate": [[[cos, -sin], [sin, cos]] for cos, sin in TURNS],
        "scale": [[[1 / 0.7, 0], [0, 1 / 0.7]]],
        "shear": [[[1, -sin], [0, cos]] for cos, sin in TURNS],
    }[kind]
    middle = transform.AffineTransform(translation=(-13.5, -13.5))
    ways = [
        middle + transform.AffineTransform(np.pad(m, (0, 1)) + np.diag([0, 0, 1])) + middle.inverse for m in matrices
    ]
    seen = set()
    for image, found in zip(images[:40], changed[kind], strict=False):
        errors = [np.abs(transform.warp(image / 255, way, order=1) - found / 255).max() for way in ways]
        assert min(errors) < 0.01
        seen.add(int(np.argmin(errors)))
    assert len(seen) == len(ways)


def test_a_blurred_dot_keeps_its_ink_and_its_place():
    dot = np.zeros((200, 28, 28), np.uint8)
    dot[:, 13:16, 13:16] = 255
    for kind, reach in (("glass_blur", 4), ("motion_blur", 5)):
        found = corrupted(kind, dot, 0).astype(float)
        assert found.sum() == pytest.approx(dot.sum(), rel=0.02)
        assert found.max() < 255
        mean = found.mean(axis=0)
        rows = np.arange(28) - 14
        assert abs((mean.sum(axis=1) * rows).sum() / mean.sum()) < 0.6
        assert abs((mean.sum(axis=0) * rows).sum() / mean.sum()) < reach
    trail = corrupted("motion_blur", dot, 0)
    assert trail[:, :, :13].max() == 0 and trail[:, 13:16, 18:20].any()  # it fades towards the right


def test_fog_leaves_a_quarter_of_the_contrast():
    half = np.zeros((100, 28, 28), np.uint8)
    half[:, :, 14:] = 255
    fogged, empty = corrupted("fog", half, 0).astype(float), corrupted("fog", half * 0 + 255, 0).astype(float)
    assert np.allclose(fogged[:, :, 14:], empty[:, :, 14:], atol=1)  # the same clouds, over the same ink
    assert (empty - fogged)[:, :, :14] == pytest.approx(255 / 4, abs=1)
    assert 60 < empty.mean() < 230 and empty.std() > 10
    assert blank("fog").max() == 0  # as in the paper's code, fog is as bright as the image's brightest pixel


def test_mud_is_a_quarter_as_bright_as_ink_and_covers_it():
    light, dark = blank("spatter"), blank("spatter", 255)
    assert 0.02 < (light > 40).mean() < 0.5
    assert light.max() == 63
    assert (dark[light >= 60] < 80).all() and (dark[light == 0] == 255).all()


def test_a_dotted_line_leaves_out_every_other_two_columns():
    found = blank("dotted_line", count=300)
    drawn = found.any(axis=(0, 1))
    assert drawn.tolist() == [column // 2 % 2 == 1 and column < 27 for column in range(28)]
    assert found.max() == 255 and len({image.tobytes() for image in found}) > 200


def test_a_zigzag_goes_up_and_down_by_two_pixels():
    found = blank("zigzag", count=300)
    middles = [(image.argmax(axis=0)[3:24], image.max(axis=0)[3:24]) for image in found if image[5:23].any()]
    level = [rows for rows, ink in middles if ink.min() > 100]
    assert len(level) > 100
    for rows in level:
        turns = np.sign(np.diff(rows))
        assert 3 <= np.ptp(rows - np.linspace(rows[0], rows[-1], len(rows))) <= 8
        assert (turns > 0).any() and (turns < 0).any()


def test_edges_are_those_of_each_image_alone(images, changed):
    for image, found in zip(images, changed["canny_edges"], strict=True):
        assert np.array_equal(found, 255 * feature.canny(image.astype(np.float32) / 255))
