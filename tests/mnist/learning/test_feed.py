"""The batches that Keras is given. Image i of the tests is all i, so that a batch tells which images it holds."""

import numpy as np
import pytest

from mnist.learning.feed import NO_CLASS, feed, in_order, split, targets
from tests.conftest import recipe_of

pytestmark = pytest.mark.slow

NUMBERED = np.tile(np.arange(50, dtype=np.uint8)[:, None, None], (1, 28, 28))
LABELS = np.arange(50, dtype=np.uint8)
PER_EPOCH = 4  # batches


def training(**settings):
    return recipe_of(**{"epochs": 4, "batch_size": 16} | settings).train


PLAIN = training()
AUGMENTED = training(augmentation={"shift": 2.0, "rotation": 10.0, "zoom": 0.1, "shear": 0.1})
PLAIN_AT_LAST = AUGMENTED.model_copy(update={"plain_epochs": 2})


def batches(settings=PLAIN, seed=0, start=0, parts=((NUMBERED, LABELS),)):
    return [(x.numpy(), y.numpy()) for x, y in feed(list(parts), 50, settings, seed, start)]


def orders(found):
    """The labels of each epoch, in order."""
    labels = [y for _, y in found]
    return [np.concatenate(labels[i : i + PER_EPOCH]).tolist() for i in range(0, len(labels), PER_EPOCH)]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (x, y), (x_expected, y_expected) in zip(found, expected, strict=True):
        assert x.tobytes() == x_expected.tobytes()
        assert y.tobytes() == y_expected.tobytes()


def test_each_epoch_gives_each_image_once_with_its_label_in_an_order_of_its_own():
    found = batches()
    assert [len(y) for _, y in found] == 4 * [16, 16, 16, 2]
    assert all(sorted(order) == list(range(50)) for order in orders(found))
    assert len({tuple(order) for order in [*orders(found), list(range(50))]}) == 5
    for x, y in found:
        assert (x.dtype, x.shape) == (np.float32, (len(y), 28, 28, 1))
        expected = (y.astype(np.float32) / np.float32(255))[:, None, None, None]
        np.testing.assert_array_equal(x, np.broadcast_to(expected, x.shape))


@pytest.mark.parametrize("settings", [PLAIN, AUGMENTED, PLAIN_AT_LAST], ids=["plain", "augmented", "plain at last"])
@pytest.mark.parametrize("start", [1, 3])
def test_a_feed_that_starts_later_is_the_tail_of_the_whole_feed(settings, start):
    assert_same(batches(settings, seed=7, start=start), batches(settings, seed=7)[start * PER_EPOCH :])


def test_raising_the_epochs_leaves_the_earlier_ones_as_they_were():
    assert_same(batches(AUGMENTED)[:PER_EPOCH], batches(AUGMENTED.model_copy(update={"epochs": 1})))


def test_the_last_epochs_can_give_the_images_as_they_are_in_the_same_order():
    assert_same(batches(PLAIN_AT_LAST), batches(AUGMENTED)[: 2 * PER_EPOCH] + batches()[2 * PER_EPOCH :])
    assert_same(batches(AUGMENTED.model_copy(update={"plain_epochs": 9})), batches())


def test_the_distortions_are_drawn_anew_for_each_batch_and_epoch(real_digits):
    same = np.repeat(real_digits[0][:1], 32, axis=0)
    found = [x.tobytes() for x, _ in batches(AUGMENTED, parts=[(same, LABELS[:32])])]
    assert len(found) == len(set(found)) == 8


def test_several_parts_are_shuffled_as_one():
    cuts = (slice(20), slice(20, 21), slice(21, None))
    assert_same(batches(seed=3, parts=[(NUMBERED[cut], LABELS[cut].astype(int)) for cut in cuts]), batches(seed=3))


@pytest.mark.parametrize("other", [1, 2**32 - 1])
def test_another_seed_is_another_order(other):
    assert orders(batches(seed=0))[0] != orders(batches(seed=other))[0]


@pytest.mark.parametrize(
    ("n", "fraction", "kept"), [(60_000, 0.05, 57_000), (10, 0.25, 7), (10, 0.0, 10), (3, 0.5, 1), (1, 0.5, 0)]
)
def test_the_last_rows_are_held_out(n, fraction, kept):
    rows = np.arange(n)
    (x, y), (x_val, y_val) = split(rows, -rows, fraction)
    assert np.array_equal(x, rows[:kept]) and np.array_equal(x_val, rows[kept:])
    assert np.array_equal(y, -x) and np.array_equal(y_val, -x_val)


def test_what_nothing_is_learnt_from_comes_in_order_whole_and_scaled():
    images = np.arange(1100 * 784, dtype=np.uint32).astype(np.uint8).reshape(1100, 28, 28)
    labels = np.arange(1100, dtype=np.uint16)
    found = [(x.numpy(), y.numpy()) for x, y in in_order((images, labels), 1100, PLAIN)]
    assert [x.shape for x, _ in found] == [(500, 28, 28, 1), (500, 28, 28, 1), (100, 28, 28, 1)]
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), labels)
    x = np.concatenate([x for x, _ in found])[..., 0]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, images / np.float32(255))


def test_smoothing_spreads_a_fraction_of_each_label_and_no_class_is_all_alike():
    labels, alike = np.array([0, 2, NO_CLASS]), [0.25, 0.25, 0.25, 0.25]
    soft = training(out_of_class=0.1)
    smoothed = [[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05], alike]
    np.testing.assert_allclose(targets(labels, 4, soft, 0.2), smoothed, rtol=1e-6)
    assert targets(labels, 4, soft, 0).numpy().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], alike]
    assert targets(labels, 4, PLAIN, 0) is labels
