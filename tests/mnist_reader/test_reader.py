"""The library's reader, with small models written here: a bar is a 1 and a ring a 0."""

import io

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw

from mnist_reader.about import About, AboutError
from mnist_reader.classifier import Classifier
from mnist_reader.picture import PictureError
from mnist_reader.preparation import digit_image
from mnist_reader.reader import Reader
from tests.linear import bar_or_ring, describe, softmax, write_model

ABOUT = About("Bars and rings", "none", tuple("0123456789"), "ink", 0.5, "1.2.3")
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


def drawn(digits, mode="L"):
    """Bars and rings, 80 pixels high and 80 apart, on white paper."""
    page = Image.new(mode, (80 * len(digits) + 40, 120), "white")
    for place, digit in enumerate(digits):
        left = 80 * place + 30
        if digit == "1":
            ImageDraw.Draw(page).rectangle((left + 20, 20, left + 29, 99), fill="black")
        else:
            ImageDraw.Draw(page).ellipse((left, 20, left + 55, 99), outline="black", width=10)
    return page


def test_a_row_is_read_with_the_product_of_what_numpy_computes(reader):
    reading = reader.read(drawn("1001"))
    alone = softmax(np.stack([digit_image(drawn(digit)) for digit in "1001"]), WEIGHTS)
    assert (reading.text, reading.unsure) == ("1001", False)
    assert reading.confidence == pytest.approx(alone.max(axis=1).prod(), abs=0.02)  # cut out of a row
    for digit, expected in zip(reading.digits, alone, strict=True):
        assert digit.probabilities == pytest.approx(expected, abs=0.02)
        assert digit.second == str(np.argsort(digit.probabilities)[-2])
        assert (digit.confidence, digit.second_confidence) == tuple(sorted(digit.probabilities)[:-3:-1])
        assert (digit.image.shape, digit.image.dtype) == ((28, 28), np.uint8)


def test_boxes_are_where_the_digits_were_drawn(reader):
    boxes = [digit.box for digit in reader.read(drawn("10")).digits]
    bar, ring = (50 / 200, 20 / 120, 60 / 200, 100 / 120), (110 / 200, 20 / 120, 166 / 200, 100 / 120)
    assert np.abs(np.array(boxes) - [bar, ring]).max() < 0.02


def encoded(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_every_kind_of_picture_gives_the_same_reading(reader, tmp_path):
    picture = drawn("10")
    (tmp_path / "ten.png").write_bytes(encoded(picture))
    forms = [
        encoded(picture),
        tmp_path / "ten.png",
        str(tmp_path / "ten.png"),
        np.asarray(picture),
        np.asarray(picture.convert("RGB")),
        picture.convert("RGBA"),
    ]
    expected = [digit._replace(image=digit.image.tolist()) for digit in reader.read(picture).digits]
    for form in forms:
        assert [digit._replace(image=digit.image.tolist()) for digit in reader.read(form).digits] == expected


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((5, 5)), "uint8"),
        (np.zeros((5, 5, 2), np.uint8), "uint8"),
        (np.zeros((0, 5), np.uint8), "an empty array"),
        (np.zeros(5, np.uint8), "uint8"),
    ],
)
def test_other_arrays_are_refused_in_one_line(reader, array, expected):
    with pytest.raises(PictureError, match=expected) as caught:
        reader.read(array, "some")
    assert str(caught.value).startswith("some: expected ")
    assert "\n" not in str(caught.value)


def test_many_are_read_in_order_as_one_by_one(reader):
    texts = [format(number, "b") for number in range(80)]
    texts[40] = ""  # empty
    pictures = [drawn(text) for text in texts]
    assert [reading.text for reading in reader.read_many(iter(pictures))] == texts
    assert list(reader.read_many([])) == []


def test_the_first_picture_that_cannot_be_read_is_an_error(reader):
    with pytest.raises(PictureError, match="expected a picture"):
        list(reader.read_many([drawn("1"), b"no picture"]))


def test_an_empty_picture_has_no_digits(path, reader):
    for some in (reader, Reader(path, accept_all=True)):
        reading = some.read(Image.new("L", (50, 50), "white"))
        assert (reading.digits, reading.text, reading.confidence, reading.unsure) == ((), "", 0, False)


def test_a_reading_is_unsure_if_one_digit_is_below_the_threshold(path, reader, tmp_path):
    bar, ring = (digit.confidence for digit in reader.read(drawn("10")).digits)
    assert bar != ring
    doubtful = reader_at(path, tmp_path, threshold=(bar + ring) / 2)
    reading = doubtful.read(drawn("10"))
    assert [digit.unsure for digit in reading.digits] == [bar < ring, ring < bar]
    assert (reading.text, reading.unsure) == ("10", True)
    for digit in "10":
        assert doubtful.read(drawn(digit)).unsure == (min(bar, ring) == (bar if digit == "1" else ring))


def test_all_can_be_accepted_as_single_digits(path, tmp_path):
    reader = reader_at(path, tmp_path, threshold=1.0)
    assert reader.read(drawn("1")).unsure
    reader.accept_all = True
    for text in ("1", "1001"):
        (digit,) = reader.read(drawn(text)).digits
        assert not digit.unsure
        np.testing.assert_array_equal(digit.image, digit_image(drawn(text)))


def test_stripes_up_to_the_edge_are_unsure_although_each_is_a_one(reader):
    stripes = np.full((120, 280), 255, np.uint8)
    for left in (50, 130, 210):
        stripes[:, left : left + 12] = 0
    assert (reader.read(stripes).text, reader.read(stripes).unsure) == ("111", True)
    inner = np.pad(stripes, 20, constant_values=255)
    assert (reader.read(inner).text, reader.read(inner).unsure) == ("111", False)


def test_what_falls_apart_is_one_digit_if_the_whole_is_sure(tmp_path):
    """A model that knows the whole of two bars, and none of a single one."""
    picture = drawn("11")
    whole = digit_image(picture).reshape(784) / 255
    values = np.zeros((784, 10), np.float32)
    values[:, 5] = (whole - whole.mean()) / 8
    write_model(tmp_path / "pair.onnx", values, threshold=0.9)
    assert softmax(digit_image(drawn("1")), values).max() < 0.9 < softmax(digit_image(picture), values).max()
    assert Reader(tmp_path / "pair.onnx").read(picture).text == "5"


def test_a_model_of_clothes_sees_the_whole_picture(path, tmp_path):
    names = tuple(f"Piece {number}" for number in range(10))
    reader = reader_at(path, tmp_path, classes=names, preparation="fit", threshold=0.0)
    picture = np.zeros((28, 28), np.uint8)
    picture[2:9, 3:6] = picture[4:20, 18:25] = 180
    (digit,) = reader.read(picture).digits
    np.testing.assert_array_equal(digit.image, picture)
    assert digit.label == names[softmax(picture, WEIGHTS).argmax()]
    assert digit.box == (0, 0, 1, 1)
    assert reader.read(255 - picture).text == digit.label  # as shops show them, on white
    wide = np.kron(picture[:14], np.ones((2, 2), np.uint8))
    np.testing.assert_array_equal(reader.read(wide).digits[0].image, np.pad(picture[:14], ((7, 7), (0, 0))))


BROKEN = {
    "nothing": {},
    "one missing": {name: text for name, text in ABOUT.properties.items() if name != "threshold"},
    "nine names": ABOUT._replace(classes=tuple("012345678")).properties,
    "no names": ABOUT._replace(classes=()).properties,
    "names that are numbers": ABOUT.properties | {"classes": "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"},
    "a name for names": ABOUT.properties | {"classes": '"0123456789"'},
    "broken JSON": ABOUT.properties | {"classes": '["0",\n"1'},
    "deep JSON": ABOUT.properties | {"title": "[" * 100_000},
    "unknown preparation": ABOUT.properties | {"preparation": '"cut\\nout"'},
    "a threshold in words": ABOUT.properties | {"threshold": '"high"'},
    "a threshold that is no number": ABOUT.properties | {"threshold": "NaN"},
}


@pytest.mark.parametrize("properties", BROKEN.values(), ids=list(BROKEN))
def test_a_model_that_does_not_say_what_it_is_is_refused_in_one_line(tmp_path, properties):
    write_model(tmp_path / "some.onnx", WEIGHTS)
    model = onnx.load(tmp_path / "some.onnx")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, tmp_path / "some.onnx")
    with pytest.raises(AboutError) as caught:
        Reader(tmp_path / "some.onnx")
    assert str(caught.value).startswith(f"{tmp_path / 'some.onnx'}: expected ")
    assert ", found" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", '"quotes" and \\', "two\nlines\t\r", "Größe 数字 ٣ 👕", "</script>{0}%s", "\0"])
def test_any_text_travels_inside_the_file(tmp_path, text):
    about = ABOUT._replace(title=text, licence=text, version=text, classes=(text, *"123456789"), threshold=1 / 3)
    assert About.of(about.properties, "some") == about
    write_model(tmp_path / "some.onnx", WEIGHTS)
    describe(tmp_path / "some.onnx", about.properties)
    assert About.of(Classifier(tmp_path / "some.onnx").properties, "some") == about
