"""What a model says about itself travels inside its file, or the file is refused."""

import pytest

from mnist_reader.about import About, AboutError
from mnist_reader.classifier import Classifier
from mnist_reader.reader import Reader
from tests.conftest import ABOUT
from tests.linear import bar_or_ring, describe, write_model

BROKEN = {
    "nothing": {},
    "one missing": {name: text for name, text in ABOUT.properties.items() if name != "threshold"},
    "nine names": ABOUT._replace(classes=tuple("012345678")).properties,
    "no names": ABOUT._replace(classes=()).properties,
    "names that are numbers": ABOUT.properties | {"classes": "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"},
    "a name for names": ABOUT.properties | {"classes": '"0123456789"'},
    "a name that colours a terminal": ABOUT._replace(classes=("\x1b[31m0", *"123456789")).properties,
    "a name that turns the line": ABOUT._replace(classes=("\u202e0", *"123456789")).properties,
    "a name twice": ABOUT._replace(classes=tuple("0123456788")).properties,
    "an empty name": ABOUT._replace(classes=("", *"123456789")).properties,
    "a number for names": ABOUT.properties | {"classes": "10"},
    "broken JSON": ABOUT.properties | {"classes": '["0",\n"1'},
    "deep JSON": ABOUT.properties | {"title": "[" * 100_000},
    "unknown preparation": ABOUT.properties | {"preparation": '"cut\\nout"'},
    "a threshold in words": ABOUT.properties | {"threshold": '"high"'},
    "a threshold that is no number": ABOUT.properties | {"threshold": "NaN"},
}


@pytest.fixture
def path(tmp_path):
    write_model(tmp_path / "some.onnx", bar_or_ring(0))
    return tmp_path / "some.onnx"


@pytest.mark.parametrize("properties", BROKEN.values(), ids=list(BROKEN))
def test_a_model_that_does_not_say_what_it_is_is_refused_in_one_line(path, properties):
    describe(path, properties)
    with pytest.raises(AboutError) as caught:
        Reader(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert ", found" in str(caught.value)
    assert str(caught.value).isascii() and str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["", '"quotes" and \\', "two\nlines\t\r", "Größe 数字 ٣ 👕", "</script>{0}%s", "\0"])
def test_any_text_travels_inside_the_file(path, text):
    about = ABOUT._replace(title=text, licence=text, version=text, threshold=1 / 3)
    assert About.of(about.properties, "some") == about
    describe(path, about.properties)
    assert About.of(Classifier(path).properties, "some") == about
