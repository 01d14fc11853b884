"""Connected parts, against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_reader.components import components

EIGHT = np.ones((3, 3))  # corners included
SHAPES = [(1, 1), (1, 40), (40, 1), (2, 2), (23, 31), (60, 60)]


def masks():
    """Noise from nothing to everything, and smooth shapes that wind around each other."""
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for density in (0, 0.02, 0.1, 0.3, 0.4, 0.5, 0.7, 0.95, 1):
            yield rng.random(shape) < density
    for spread in (1, 2, 4):
        smooth = ndimage.gaussian_filter(rng.normal(size=(80, 90)), spread)
        yield from (smooth > 0, np.abs(smooth) < smooth.std() / 4)


@pytest.mark.parametrize("mask", list(masks()))
def test_parts_are_those_that_scipy_finds(mask):
    labels, found = components(mask)
    expected, count = ndimage.label(mask, EIGHT)
    assert (labels.shape, len(found)) == (mask.shape, count)
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == count + (not mask.all())  # each label goes with one of SciPy's, and so does the rest
    assert ((labels > 0) == mask).all()
    names = dict(pairs.T.tolist())
    boxes, areas = ndimage.find_objects(expected), np.bincount(expected.ravel())
    for part in found:
        other = names[part.label]
        assert (slice(part.top, part.bottom), slice(part.left, part.right)) == boxes[other - 1]
        assert part.area == areas[other]
    assert [part.area for part in found] == sorted(areas[1:].tolist(), reverse=True)


def test_a_large_spiral_is_one_part():
    spiral = np.zeros((400, 400), bool)
    for inset in range(0, 198, 4):
        spiral[inset, max(0, inset - 4) : 400 - inset] = spiral[inset : 400 - inset, 399 - inset] = True
        spiral[399 - inset, inset : 400 - inset] = spiral[inset + 4 : 400 - inset, inset] = True
    assert [part.area for part in components(spiral)[1]] == [spiral.sum()]
