"""What the model says to the digits of a look; a model of NumPy stands for it here."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_reader.looks import close_look
from mnist_reader.recognition import MOST_CUT, distorted, recognise

SHAPE = (28, 28)


def bar(slant=0.0, width=4):
    """An image of an upright bar in the middle, each row of which is shifted by `slant` times its distance from it."""
    image = np.zeros(SHAPE, np.uint8)
    for row in range(5, 23):
        middle = 14 + slant * (row - 13.5)
        image[row, round(middle - width / 2) : round(middle + width / 2)] = 255
    return image


def moments(image):
    """Row and column of the centre of mass, and the slant of the ink: columns to the side for each row down."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    mass = image / image.sum()
    row, column = (mass * y).sum(), (mass * x).sum()
    return row, column, (mass * (y - row) * (x - column)).sum() / (mass * (y - row) ** 2).sum()


@pytest.mark.parametrize("slant", [-0.5, -0.2, 0.0, 0.3, 0.5])
def test_the_first_distortion_makes_a_slanted_digit_upright(slant):
    image = bar(slant)
    assert moments(image)[2] == pytest.approx(slant, abs=0.05)
    upright = distorted(image)[1]
    assert abs(moments(upright)[2]) < 0.03
    assert np.abs(upright.astype(int) - bar()).mean() < 12


def test_distortions_are_the_image_itself_and_four_others_around_the_same_centre():
    disc = Image.new("L", SHAPE)
    ImageDraw.Draw(disc).ellipse((6, 4, 21, 23), fill=255)
    copies = distorted(np.asarray(disc))
    assert (copies.shape, copies.dtype) == ((5, *SHAPE), np.uint8)
    np.testing.assert_array_equal(copies[0], np.asarray(disc))
    for copy in copies:
        assert moments(copy)[:2] == pytest.approx(moments(copies[0])[:2], abs=0.5)
        assert copy.sum(dtype=int) == pytest.approx(copies[0].sum(dtype=int), rel=0.2)


def test_two_distortions_turn_both_ways_and_one_makes_narrower():
    *_, narrow, one, other = distorted(bar())
    turns = sorted(moments(copy)[2] for copy in (one, other))
    assert turns[0] == pytest.approx(-turns[1], abs=0.02)
    assert 0.05 < turns[1] < 0.25
    assert narrow.sum(dtype=int) < 0.95 * bar().sum(dtype=int)


def test_an_empty_image_stays_empty():
    assert not distorted(np.zeros(SHAPE, np.uint8)).any()


def bars(*places, joined=False):
    """Grey levels of bars 60 pixels high whose left sides are here, perhaps with a stroke from each to the next."""
    page = Image.new("L", (places[-1] + 60, 120), "white")
    for left in places:
        ImageDraw.Draw(page).rectangle((left, 30, left + 11, 89), fill=0)
    if joined:
        ImageDraw.Draw(page).rectangle((places[0], 58, places[-1], 62), fill=0)
    return np.asarray(page)


class Narrow:
    """Sure that an image is a 1 if its ink is no wider than eight columns; else all ten are as likely."""

    def __init__(self):
        self.asked = []

    def __call__(self, images):
        self.asked.append(len(images))
        widths = np.array([np.ptp(np.flatnonzero((image > 99).any(axis=0))) + 1 for image in images])
        return np.where((widths <= 8)[:, None], 0.95 * np.eye(10)[1] + 0.005, 0.1)


def read(levels, model, least=0.8):
    (line,) = recognise(close_look(levels), model, SHAPE, least)
    return line


def test_a_digit_that_the_model_is_sure_of_is_asked_for_once():
    model = Narrow()
    line = read(bars(30, 70, 110), model)
    assert [int(digit.probabilities.argmax()) for digit in line] == [1, 1, 1]
    assert [digit.unsure for digit in line] == [False] * 3
    assert model.asked == [3]


def test_two_digits_that_touch_are_cut_and_unsure():
    line = read(bars(30, 58, joined=True), Narrow())
    assert [int(digit.probabilities.argmax()) for digit in line] == [1, 1]
    assert all(digit.unsure for digit in line)
    for digit, left in zip(line, (30, 58), strict=True):
        assert digit.box[1::2] == pytest.approx((30, 90), abs=2)
        assert digit.box[0] <= left + 1 <= left + 11 <= digit.box[2] + 1
        assert digit.box[2] - digit.box[0] < 30  # half of the stroke between them goes with one of the two


def test_a_digit_that_stays_doubtful_has_the_mean_over_its_distortions_and_is_unsure():
    def model(images):
        ink = images.mean(axis=(1, 2)) / 255
        return np.stack([ink, np.zeros_like(ink)], axis=1)

    (digit,) = read(bars(30), model)
    assert digit.unsure
    assert digit.probabilities[0] == pytest.approx(distorted(digit.image).mean() / 255)


def test_where_many_digits_are_doubtful_nothing_is_tried():
    model = Narrow()
    line = read(bars(*range(30, 630, 40)), model, least=0.99)
    assert len(line) == 15
    assert all(digit.unsure for digit in line)
    assert model.asked == [15]


@pytest.mark.parametrize(("pairs", "found"), [(MOST_CUT, 2 * MOST_CUT), (MOST_CUT + 1, MOST_CUT + 1)])
def test_where_many_wide_digits_are_doubtful_none_is_cut(pairs, found):
    line = read(np.hstack([bars(30, 58, joined=True)] * pairs), Narrow())
    assert len(line) == found
    assert all(digit.unsure for digit in line)


def test_a_mark_stays_after_the_last_piece_of_the_digit_before_it():
    page = Image.fromarray(bars(30, 58, 110))
    ImageDraw.Draw(page).rectangle((30, 58, 60, 62), fill=0)
    ImageDraw.Draw(page).ellipse((84, 82, 91, 89), fill=0)
    line = read(np.asarray(page), Narrow())
    assert [digit.mark for digit in line] == ["", ".", ""]


@pytest.mark.parametrize(
    ("strokes", "marks"),
    [
        ([(0, 60), (24, 70), (0, 60)], ["/", ""]),
        ([(0, 60), (24, 60), (0, 60)], ["", "", ""]),  # no taller: a 1 that leans
        ([(0, 60), (0, 70), (0, 60)], ["", "", ""]),  # upright: a tall 1
        ([(24, 60), (24, 70), (24, 60)], ["", "", ""]),  # leans as all do
        ([(24, 70), (0, 60), (0, 60)], ["", "", ""]),  # nothing before it
        ([(0, 60), (24, 70), (24, 70), (0, 60)], ["/", "", ""]),  # one mark between two digits
    ],
)
def test_a_tall_stroke_that_leans_between_digits_is_a_slash_and_unsure(strokes, marks):
    page = Image.new("L", (60 * len(strokes) + 30, 130), "white")
    for index, (lean, height) in enumerate(strokes):
        left, foot = 40 + 60 * index, 95
        ImageDraw.Draw(page).line((left - lean / 2, foot, left + lean / 2, foot - height), fill=0, width=9)
    line = read(np.asarray(page), lambda images: np.tile(0.95 * np.eye(10)[1] + 0.005, (len(images), 1)))
    assert [digit.mark for digit in line] == marks
    assert [digit.unsure for digit in line] == [mark == "/" for mark in marks]
