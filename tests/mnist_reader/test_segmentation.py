"""Cuts through ink that may be several digits, against every cut and every way there is."""

import itertools
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.segmentation import ASIDE, FURTHER, STRAIGHT, _paths, cheapest, components, cost, pieces


def price(ink, path):
    """What a path costs: the ink on it, and its length."""
    on_it = ink[np.arange(len(path)), path] + STRAIGHT
    return on_it.sum() + ASIDE * np.abs(np.diff(path)).sum()


def every_path(rows, columns):
    """All paths that go down row by row, a column aside at most."""
    paths = [[column] for column in columns]
    for _ in range(rows - 1):
        paths = [[*path, path[-1] + step] for path in paths for step in (-1, 0, 1) if path[-1] + step in columns]
    return np.array(paths)


@pytest.mark.parametrize("seed", range(8))
def test_a_path_is_the_cheapest_of_all_in_its_part_of_the_ink(seed):
    """A single path may go anywhere but along the sides."""
    rng = np.random.default_rng(seed)
    ink = np.float32(np.where(rng.random((6, 9)) < 0.7, rng.random((6, 9)), 0))
    (path,) = _paths(ink, 1)
    everywhere = every_path(6, range(1, 8))
    assert price(ink, path) <= min(price(ink, other) for other in everywhere) + 1e-6
    for path in _paths(ink, 3):
        assert np.abs(np.diff(path)).max() <= 1
        within = every_path(6, range(path.min(), path.max() + 1))
        assert price(ink, path) <= min(price(ink, other) for other in within) + 1e-6


def test_paths_come_from_left_to_right_and_none_twice():
    ink = np.random.default_rng(0).random((20, 40)).astype(np.float32)
    paths = _paths(ink, 8)
    assert np.all(np.diff([path.mean() for path in paths]) > 0)
    assert all(np.abs(one - other).mean() > 1 for one, other in itertools.combinations(paths, 2))


def rings(*places, size=(40, 75)):
    """Ink of rings 40 pixels high and 34 wide, whose left sides are here."""
    page = Image.new("L", size[::-1])
    for left in places:
        ImageDraw.Draw(page).ellipse((left, 0, left + 33, 39), outline=255, width=6)
    return np.asarray(page, np.float32) / 255


def joined():
    """Two rings with a stroke from one to the other."""
    ink = rings(0, 40)
    ink[18:22, 30:44] = 1
    return ink


@pytest.mark.parametrize("left", [0, 40])
def test_of_two_rings_that_touch_both_are_among_the_pieces(left):
    found, last = pieces(joined())
    same = [piece for piece in found if abs(piece.left - left) + abs(piece.right - left - 34) <= 6]
    assert same
    for piece in same:
        assert (piece.start == 0, piece.stop == last) == (left == 0, left == 40)
        assert piece.ink.sum() == pytest.approx(rings(0).sum(), rel=0.05)


def test_pieces_say_where_they_stand_and_hold_the_ink_between_their_cuts():
    ink = joined()
    found, last = pieces(ink)
    for piece in found:
        assert 0 <= piece.start < piece.stop <= last
        assert piece.ink.shape[1] <= piece.right - piece.left <= piece.ink.shape[1]
        own = ink[:, piece.left : piece.right]
        assert set(np.unique(piece.ink)) <= set(np.unique(own)) | {np.float32(0)}
        assert piece.ink.sum() <= own.sum()
    steps = [piece for piece in found if piece.stop == piece.start + 1]
    assert sum(float(piece.ink.sum()) for piece in steps) <= ink.sum() + 1e-3


def test_no_piece_is_far_wider_than_high_or_only_a_scrap():
    found, _ = pieces(rings(0, 30, 60, 90, size=(40, 130)))
    assert max(piece.ink.shape[1] / 40 for piece in found) < 1.5
    assert min(piece.ink.shape[0] / 40 for piece in found) >= 0.5


def test_parts_that_only_soft_edges_join_are_two():
    ink = rings(0, 40, 80, size=(40, 114))
    ink[18:22, 30:90] = np.maximum(ink[18:22, 30:90], np.float32(0.4))
    found = components(ink)
    assert [(piece.left, piece.right) for piece in found] == [(0, 34), (40, 74), (80, 114)]
    for piece in found:
        assert (piece.ink > 0.5).sum() == (rings(0, size=(40, 34)) > 0.5).sum()


@pytest.mark.parametrize(
    "ink",
    [
        rings(0),  # one
        np.vstack([rings(0)[:12], rings(0)[:1] * 0, rings(0)[12:]]),  # a digit that broke, one piece low
        rings(0, 40, 80, 120, size=(40, 154)),  # more than a stroke of the pen joins
    ],
)
def test_one_part_pieces_of_a_digit_and_many_parts_are_no_components(ink):
    assert components(ink) == []


def test_a_speck_is_no_component():
    ink = rings(0, 40)
    ink[2:4, 36:38] = 1
    assert len(components(ink)) == 2


def every_way(edges, last):
    """The cost of all chains of edges from 0 to the last cut, and the edges of each."""
    for count in range(1, last + 1):
        for way in itertools.permutations(range(len(edges)), count):
            stops = [0, *(edges[number][1] for number in way)]
            if stops[-1] == last and all(edges[number][0] == stop for number, stop in zip(way, stops, strict=False)):
                yield sum(edges[number][2] for number in way) + FURTHER * (count - 1), list(way)


@pytest.mark.parametrize("seed", range(20))
def test_the_cheapest_way_is_that_of_all_ways(seed):
    rng = np.random.default_rng(seed)
    last = int(rng.integers(1, 5))
    spans = [(start, stop) for start in range(last) for stop in range(start + 1, last + 1) if rng.random() < 0.8]
    edges = [(start, stop, float(rng.exponential())) for start, stop in spans]
    expected, way = min(every_way(edges, last), default=(math.inf, []))
    found, numbers = cheapest(edges, last)
    assert found == pytest.approx(expected)
    assert numbers == way


def test_a_certain_digit_costs_nothing_and_two_of_a_half_each_more_than_one_of_a_fifth():
    assert cost(np.array([0.0, 1.0])) == 0
    assert cost(np.array([0.2, 0.1])) == pytest.approx(math.log(5))
    assert cheapest([(0, 1, cost(np.array([0.5]))), (1, 2, cost(np.array([0.5]))), (0, 2, math.log(5))], 2)[1] == [2]
