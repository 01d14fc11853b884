"""The library's reader, with small models written here: a bar is a 1 and a ring a 0."""

import pydoc

import numpy as np
import pytest
from PIL import Image

from mnist_reader import reader as module
from mnist_reader.classifier import ClassifierError
from mnist_reader.picture import PictureError
from mnist_reader.preparation import digit_image
from mnist_reader.reader import MOST_PIXELS, Digit, Reader, Reading
from tests.conftest import ABOUT
from tests.linear import bar_or_ring, describe, softmax, write_model
from tests.mnist_reader.drawn import bars_and_rings, encoded

WEIGHTS = bar_or_ring(-0.1) / 12


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("reader") / "linear.onnx"
    write_model(path, WEIGHTS)
    describe(path, ABOUT.properties)
    return path


@pytest.fixture(scope="module")
def reader(path):
    return Reader(path)


def reader_at(path, tmp_path, **changes):
    """A reader with a copy of the model that says something else of itself."""
    (tmp_path / "other.onnx").write_bytes(path.read_bytes())
    describe(tmp_path / "other.onnx", ABOUT._replace(**changes).properties)
    return Reader(tmp_path / "other.onnx")


def test_a_row_is_read_with_the_product_of_what_numpy_computes(reader):
    reading = reader.read(bars_and_rings("1001").reduce(2))
    alone = softmax(np.stack([digit_image(bars_and_rings(digit).reduce(2)) for digit in "1001"]), WEIGHTS)
    assert (reading.text, reading.unsure) == ("1001", False)
    assert reading.confidence == pytest.approx(alone.max(axis=1).prod(), abs=0.02)  # cut out of a row
    for digit, expected in zip(reading.digits, alone, strict=True):
        assert digit.probabilities == pytest.approx(expected, abs=0.02)
        assert digit.second == str(np.argsort(digit.probabilities)[-2])
        assert (digit.confidence, digit.second_confidence) == tuple(sorted(digit.probabilities)[:-3:-1])
        assert (digit.image.shape, digit.image.dtype) == ((28, 28), np.uint8)


def test_boxes_are_where_the_digits_were_drawn(reader):
    boxes = [digit.box for digit in reader.read(bars_and_rings("10")).digits]
    bar, ring = (50 / 200, 20 / 120, 60 / 200, 100 / 120), (110 / 200, 20 / 120, 166 / 200, 100 / 120)
    assert np.abs(np.array(boxes) - [bar, ring]).max() < 0.02


def test_every_kind_of_picture_gives_the_same_reading(reader, tmp_path):
    picture = bars_and_rings("10")
    file = tmp_path / "ten.png"
    file.write_bytes(encoded(picture))
    pixels = [np.asarray(picture), np.asarray(picture.convert("RGB"))]
    readings = [
        [digit._replace(image=digit.image.tolist()) for digit in reader.read(form).digits]
        for form in (picture, picture.convert("RGBA"), encoded(picture), file, str(file), *pixels)
    ]
    assert all(reading == readings[0] for reading in readings)


def test_many_are_read_in_order_as_one_by_one(reader):
    texts = [format(number, "b") for number in range(80)]
    texts[40] = ""  # empty
    pictures = [bars_and_rings(text) for text in texts]
    assert [reading.text for reading in reader.read_many(iter(pictures))] == texts
    assert list(reader.read_many([])) == []


def test_the_first_picture_that_cannot_be_read_is_an_error(reader):
    with pytest.raises(PictureError, match="expected a picture"):
        list(reader.read_many([bars_and_rings("1"), b"no picture"]))


@pytest.mark.parametrize("accept_all", [False, True])
def test_an_empty_picture_has_no_digits(path, accept_all):
    reading = Reader(path, accept_all).read(Image.new("L", (50, 50), "white"))
    assert (reading.lines, reading.text, reading.confidence) == ((), "", 0)
    assert reading.empty and reading.unsure


def test_a_reading_is_unsure_if_one_digit_is_below_the_threshold(path, reader, tmp_path):
    bar, ring = (digit.confidence for digit in reader.read(bars_and_rings("10")).digits)
    assert bar != ring
    doubtful = reader_at(path, tmp_path, threshold=(bar + ring) / 2)
    reading = doubtful.read(bars_and_rings("10"))
    assert [digit.unsure for digit in reading.digits] == [bar < ring, ring < bar]
    assert (reading.text, reading.unsure) == ("10", True)
    for digit in "10":
        assert doubtful.read(bars_and_rings(digit)).unsure == (min(bar, ring) == (bar if digit == "1" else ring))


def test_all_can_be_accepted_as_single_digits(path, tmp_path):
    reader = reader_at(path, tmp_path, threshold=1.0)
    assert reader.read(bars_and_rings("1")).unsure
    reader.accept_all = True
    for text in ("1", "1001"):
        (digit,) = reader.read(bars_and_rings(text)).digits
        assert not digit.unsure
        np.testing.assert_array_equal(digit.image, digit_image(bars_and_rings(text)))


@pytest.mark.parametrize("accept_all", [False, True])
@pytest.mark.parametrize("text", ["1", "1001"])
def test_nobody_should_trust_probabilities_that_are_no_numbers(path, monkeypatch, text, accept_all):
    reader = Reader(path, accept_all)
    monkeypatch.setattr(reader.classifier, "infer", lambda inputs: np.full((len(inputs), 10), np.nan, np.float32))
    reading = reader.read(bars_and_rings(text))
    assert np.isnan(reading.confidence)
    assert reading.unsure and all(digit.unsure for digit in reading.digits)


def test_a_very_large_picture_is_read_as_a_small_one(reader):
    small = bars_and_rings("1001")
    large = small.resize((small.width * 20, small.height * 20), Image.Resampling.NEAREST)
    assert large.width * large.height > MOST_PIXELS
    one, other = reader.read(small), reader.read(large)
    assert one.text == other.text == "1001"
    for first, second in zip(one.digits, other.digits, strict=True):
        assert second.box == pytest.approx(first.box, abs=0.02)
        assert second.pixels == pytest.approx(np.multiply(first.pixels, 20), abs=60)


@pytest.mark.parametrize(("margin", "unsure"), [(0, True), (20, False)])
def test_stripes_up_to_the_edge_are_unsure_although_each_is_a_one(reader, margin, unsure):
    stripes = np.full((120, 280), 255, np.uint8)
    for left in (50, 130, 210):
        stripes[:, left : left + 12] = 0
    reading = reader.read(np.pad(stripes, margin, constant_values=255))
    assert (reading.text, reading.unsure) == ("111", unsure)


def test_what_falls_apart_is_one_digit_if_the_whole_is_sure(tmp_path):
    """A model that knows the whole of two bars, and none of a single one."""
    picture = bars_and_rings("11").reduce(2)
    whole = digit_image(picture).reshape(784) / 255
    values = np.zeros((784, 10), np.float32)
    values[:, 5] = (whole - whole.mean()) / 8
    write_model(tmp_path / "pair.onnx", values, threshold=0.9)
    half = bars_and_rings("1").reduce(2)
    assert softmax(digit_image(half), values).max() < 0.9 < softmax(digit_image(picture), values).max()
    assert Reader(tmp_path / "pair.onnx").read(picture).text == "5"


def test_a_model_of_clothes_names_them_and_sees_the_whole_picture(path, tmp_path):
    """Two parts beside the middle, which a reader of digits would take for a row and move."""
    names = tuple(f"Piece {number}" for number in range(10))
    reader = reader_at(path, tmp_path, classes=names, preparation="fit", threshold=0.0)
    picture = np.zeros((28, 28), np.uint8)
    picture[2:9, 3:6] = picture[4:20, 18:25] = 180
    for levels in (picture, 255 - picture):  # as shops show them, on white
        (digit,) = reader.read(levels).digits
        np.testing.assert_array_equal(digit.image, picture)
        assert (digit.label, digit.box) == (names[softmax(picture, WEIGHTS).argmax()], (0, 0, 1, 1))


@pytest.mark.parametrize("text", ["", "1", "1001"])
def test_a_reading_and_a_digit_are_printed_in_one_short_line(reader, text):
    reading = reader.read(bars_and_rings(text))
    for printed in map(str, (reading, *reading.digits)):
        assert "\n" not in printed
        assert len(printed) < 80
    assert f"'{text}'" in str(reading)
    assert f"{reading.confidence:.3f}" in str(reading)


def test_help_says_what_a_reading_holds():
    text = pydoc.render_doc(Reader)
    assert all(f"reading.{name}" in text for name in ("text", "confidence", "unsure", "lines"))
    assert all(hasattr(Reading, name) for name in ("text", "confidence", "unsure", "lines"))
    assert {"label", "box", "pixels", "unsure", "mark"} <= set(Digit._fields)


@pytest.mark.parametrize("inside", [True, False])
def test_without_a_path_the_model_of_the_package_is_read_or_else_that_of_the_clone(path, tmp_path, monkeypatch, inside):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "mnist_reader/reader.py"))
    export = tmp_path / "models/export/MNIST_keras_CNN.onnx"
    with pytest.raises(ClassifierError, match="dvc pull --remote released models/export") as caught:
        Reader()
    assert str(caught.value).startswith(f"{export}: ")
    model = tmp_path / "mnist_reader/model.onnx" if inside else export
    model.parent.mkdir(parents=True)
    model.write_bytes(path.read_bytes())
    if inside:
        export.parent.mkdir(parents=True)
        export.write_bytes(b"no model")
    assert Reader().read(bars_and_rings("10")).text == "10"
