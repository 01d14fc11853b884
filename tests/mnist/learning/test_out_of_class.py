"""Pictures of no class: what they are made of, and what a model learns from them."""

import numpy as np
import pytest

from mnist.learning.fonts import HELD_OUT, TRAINED
from mnist.learning.out_of_class import CHARACTERS, KINDS, Examples, letter, out_of_class
from tests.conftest import CLASSES


@pytest.fixture(scope="module")
def examples(real_digits):
    return Examples(*real_digits, CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_fills_the_box_as_mnists_digits_do(kind, examples):
    found = out_of_class(50, examples, 0, [kind])
    assert found.shape == (50, 28, 28) and found.dtype == np.uint8
    for image in found:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(examples):
    assert np.array_equal(out_of_class(40, examples, 3), out_of_class(40, examples, 3))
    assert not np.array_equal(out_of_class(40, examples, 3), out_of_class(40, examples, 4))


def test_no_font_is_both_trained_on_and_held_out():
    assert not set(TRAINED) & set(HELD_OUT)


def test_a_sign_that_is_a_class_is_never_drawn(examples):
    letters = examples._replace(classes=[sign for sign in CHARACTERS if sign != "#"])
    images = [letter(np.random.default_rng(seed), letters) for seed in range(20)]
    spread = [len(np.unique(np.flatnonzero((image > 0.5).any(axis=1)))) for image in images]
    assert min(spread) > 20  # a hash, not a point or a dash


def test_signs_that_are_classes_are_not_drawn(examples):
    left, corner = {}, {}
    for drawn, classes in {"+": ["x", ","], "x": ["+", ","], ",": ["+", "X"]}.items():
        mean = out_of_class(100, examples._replace(classes=classes), 0, ["signs"]).mean(axis=0)
        left[drawn], corner[drawn] = mean[12:16, 6].mean(), mean[6:8, 6:8].mean()
    assert left["+"] > 4 * corner["+"] and corner["x"] > 4 * left["x"] and max(left[","], corner[","]) < 40


def test_where_all_signs_are_classes_something_else_is_drawn(examples):
    assert len(out_of_class(5, examples._replace(classes=["+", "X", ","]), 0, ["signs"])) == 5


def test_images_without_ink_do_not_stop_it():
    blank = Examples(np.zeros((4, 28, 28), np.uint8), np.array([2, 3, 6, 8]), CLASSES)
    assert out_of_class(20, blank, 0, ["damaged", "touching"]).any(axis=(1, 2)).all()


def test_half_of_a_two_is_one_of_four_halves(examples):
    twos = examples.labels == 2
    assert len(out_of_class(30, Examples(examples.images[twos], examples.labels[twos], CLASSES), 1, ["damaged"])) == 30
