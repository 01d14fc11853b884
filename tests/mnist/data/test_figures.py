"""Pictures: the same bytes each time, also where there is little to show."""

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from mnist.data import figures

CLASSES = [str(i) for i in range(10)]
IMAGES = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
LABELS = np.arange(100, dtype=np.uint8) % 10


def probabilities(mistakes):
    """Certain predictions, the first `mistakes` of them wrong."""
    predicted = LABELS.astype(int)
    predicted[:mistakes] = (predicted[:mistakes] + 1) % 10
    return np.eye(10, dtype=np.float32)[predicted]


def matrix(mistakes):
    return np.diag(np.full(10, 980)) + np.eye(10, k=1, dtype=int) * mistakes


MANY = [f"a name of many letters {i}" for i in range(47)]
FIGURES = {
    "samples": lambda: figures.samples(IMAGES, LABELS, CLASSES),
    "samples without one class": lambda: figures.samples(IMAGES[:9], LABELS[:9], CLASSES),
    "samples of two classes": lambda: figures.samples(IMAGES, LABELS % 2, ["even", "odd"]),
    "samples of many": lambda: figures.samples(IMAGES, LABELS * 4, MANY),
    "samples of wide images": lambda: figures.samples(np.tile(IMAGES, 2), LABELS, CLASSES),
    "confusion": lambda: figures.confusion(matrix(3), CLASSES),
    "confusion without mistakes": lambda: figures.confusion(matrix(0), CLASSES),
    "confusion of many": lambda: figures.confusion(np.ones((47, 47), int), MANY),
    "misclassified": lambda: figures.misclassified(IMAGES, LABELS, probabilities(12), CLASSES),
    "misclassified, many": lambda: figures.misclassified(IMAGES, LABELS, probabilities(99), CLASSES),
    "misclassified, none": lambda: figures.misclassified(IMAGES, LABELS, probabilities(0), CLASSES),
    "misclassified, with long names": lambda: figures.misclassified(IMAGES, LABELS, probabilities(12), MANY[:10]),
    "names that are formulas": lambda: figures.confusion(np.ones((2, 2), int), ["$", "$^$"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_has_the_same_bytes_each_time_whatever_the_users_settings(tmp_path, draw):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    figures.save(draw(), first)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 50, "text.hinting": "none"}):
        figures.save(draw(), second)
    pixels = imread(first)
    assert pixels[..., :3].min() < 0.5 < pixels[..., :3].max()  # something is on it
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Matplotlib" not in content  # no version, no date


def drawn_texts(figure):
    return [text.get_text() for axes in figure.axes for text in [axes.title, *axes.texts]]


def test_the_confusion_figure_counts_the_mistakes():
    figure = figures.confusion(matrix(3), CLASSES)
    texts = drawn_texts(figure)
    assert texts[0] == "27 mistakes in 9,827 images"
    assert (texts.count("980"), texts.count("3"), texts.count("0")) == (10, 9, 0)


def test_the_most_frequent_mistakes_of_many_classes_are_written_beside_the_confusion_figure():
    matrix = np.diag(np.full(47, 1980))
    matrix[3, 5], matrix[46, 0], matrix[7, 8] = 1234, 2, 17
    texts = drawn_texts(figures.confusion(matrix, [f"c{i}" for i in range(47)]))
    assert texts == ["1,253 mistakes in 94,313 images", "1,234  c3 → c5\n17  c7 → c8\n2  c46 → c0"]


def test_samples_of_many_classes_stand_side_by_side_and_each_name_at_its_row():
    blocks = figures.samples(IMAGES, LABELS * 4, MANY).axes
    assert [len(axes.get_yticklabels()) for axes in blocks] == [16, 16, 15]
    assert blocks[1].get_yticklabels()[4].get_text() == "a name of many le…"
    np.testing.assert_array_equal(blocks[1].images[0].get_array()[30 * 4 + 1 : 30 * 4 + 29, :28], IMAGES[5])  # class 20


def test_the_most_confident_mistake_comes_first():
    unsure = np.array([[0.1, 0.6, 0.3], [0.2, 0.0, 0.8], [0.9, 0.1, 0.0]])
    figure = figures.misclassified(IMAGES[:3], np.array([0, 1, 0]), unsure, ["cat", "dog", "owl"])
    assert drawn_texts(figure) == ["", "dog → owl  80%", "cat → dog  60%"]
    assert figure.get_suptitle().startswith("2 of 3 misclassified")


def test_each_picture_is_where_its_class_or_its_caption_is():
    (sheet,) = figures.samples(IMAGES, LABELS, CLASSES).axes[0].images
    np.testing.assert_array_equal(sheet.get_array()[31:59, 28:56], IMAGES[11])  # the second image of class 1
    axes = figures.misclassified(IMAGES, LABELS, probabilities(12), CLASSES).axes[0]
    np.testing.assert_array_equal(axes.images[11].get_array(), IMAGES[11])
    left, right, bottom, top = axes.images[11].get_extent()
    x, y = axes.texts[11].get_position()
    assert left < x < right
    assert top - 5 < y < top < bottom
    assert axes.texts[11].get_text() == "1 → 2  100%"
