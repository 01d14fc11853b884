"""Where the random numbers of a training come from: NumPy's SeedSequence, by the numbers it gives."""

import pytest

from mnist.learning.randomness import Purpose, derive_seed

DERIVED = {  # (seed, epoch, purpose, index): what NumPy promises never to change
    (0, 0, Purpose.ORDER, 0): [2968811710, 3677149159],
    (1, 0, Purpose.ORDER, 0): [1835504127, 1731038949],
    (0, 1, Purpose.ORDER, 0): [3964924996, 1358922860],
    (0, 0, Purpose.DISTORTION, 0): [3831201730, 2013799314],
    (0, 0, Purpose.ORDER, 1): [3317235285, 3915018311],
    (7, 3, Purpose.LAYER, 1): [3916562435, 623109433],
}


@pytest.mark.parametrize(("arguments", "expected"), DERIVED.items())
def test_the_numbers_are_those_of_numpys_seed_sequence(arguments, expected):
    assert derive_seed(*arguments).tolist() == expected
    assert derive_seed(*arguments).dtype == "uint32"


def test_each_argument_matters_and_so_does_its_place():
    places = [[2 if place == other else 0 for other in range(4)] for place in range(4)]
    assert len({tuple(derive_seed(*arguments)) for arguments in [[0, 0, 0, 0], *places]}) == 5


def test_no_index_is_the_index_0_and_the_largest_seed_is_good():
    assert derive_seed(3, 4, Purpose.LAYER).tolist() == derive_seed(3, 4, Purpose.LAYER, 0).tolist()
    assert derive_seed(2**32 - 1, 0, Purpose.ORDER).tolist() != derive_seed(0, 0, Purpose.ORDER).tolist()
