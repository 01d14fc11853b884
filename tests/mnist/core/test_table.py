"""The CSV format, against byte literals, pandas and the original converter's loop."""

import io

import numpy as np
import pandas as pd
import pytest

from mnist.core import table
from mnist.core.errors import run
from mnist.core.table import TableError, columns, read_csv, write_csv

HEADER = "label," + ",".join(f"pixel{i}" for i in range(784)) + "\n"
ROW = "7," + "0," * 782 + "12,255\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.csv"


def random_images(n):
    random = np.random.default_rng(n)
    return random.integers(0, 256, (n, 28, 28), np.uint8), random.integers(0, 10, n, np.uint8)


def original_loop(images, labels):
    """The original converter: one byte at a time from the IDX files into text."""
    pixels, tags = io.BytesIO(images.tobytes()), io.BytesIO(labels.tobytes())
    lines = [HEADER]
    for _ in range(len(labels)):
        image = [ord(tags.read(1))]
        for _ in range(28 * 28):
            image.append(ord(pixels.read(1)))
        lines.append(",".join(str(pixel) for pixel in image) + "\n")
    return "".join(lines).encode()


def assert_read(path, images, labels):
    found_images, found_labels = read_csv(path, 10, images.shape[1:])
    assert found_images.dtype == found_labels.dtype == np.uint8
    np.testing.assert_array_equal(found_images, images)
    np.testing.assert_array_equal(found_labels, labels)


def test_a_tiny_image_set_becomes_these_bytes(path):
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 0, 0], images[1, 27, 26], images[1, 27, 27] = 1, 12, 255
    assert write_csv([(images, np.array([0, 7], np.uint8))], path) == 2
    assert path.read_bytes() == (HEADER + "0,1" + ",0" * 783 + "\n" + ROW).encode()
    assert write_csv([], path) == 0
    assert path.read_bytes() == HEADER.encode()


@pytest.mark.parametrize("sizes", [[1], [7], [3, 4], [1, 1, 5]])
def test_rows_equal_those_of_the_original_converter_and_come_back(path, sizes):
    images, labels = random_images(sum(sizes))
    ends = np.cumsum(sizes)
    blocks = [(images[end - size : end], labels[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    assert write_csv(blocks, path) == sum(sizes)
    assert path.read_bytes() == original_loop(images, labels)
    assert_read(path, images, labels)


def test_pandas_reads_what_was_written_and_writes_what_is_read(path, real_digits):
    images, labels = (part[:50] for part in real_digits)
    write_csv([(images, labels)], path)
    found = pd.read_csv(path)
    assert list(found.columns) == columns((28, 28))
    np.testing.assert_array_equal(found["label"], labels)
    np.testing.assert_array_equal(found.drop(columns="label").to_numpy().reshape(-1, 28, 28), images)
    found.to_csv(path, index=False)
    assert_read(path, images, labels)


@pytest.mark.parametrize("block", [1, 1000, 5000, 2**20])
def test_blocks_end_where_lines_do(path, monkeypatch, block):
    monkeypatch.setattr(table, "BLOCK", block)
    images, labels = random_images(7)
    path.write_bytes(original_loop(images, labels))
    assert_read(path, images, labels)


def test_images_may_have_another_shape(path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_csv([(images, np.array([5, 6], np.uint8))], path, (3, 4))
    names = "label,pixel0,pixel1,pixel2,pixel3,pixel4,pixel5,pixel6,pixel7,pixel8,pixel9,pixel10,pixel11\n"
    rows = "5,0,1,2,3,4,5,6,7,8,9,10,11\n6,12,13,14,15,16,17,18,19,20,21,22,23\n"
    assert path.read_text() == names + rows
    assert_read(path, images, [5, 6])


def test_windows_line_ends_are_read(path):
    path.write_bytes((HEADER + ROW).replace("\n", "\r\n").encode())
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 27, 26:] = 12, 255
    assert_read(path, images, [7])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (ROW + ROW, "column"),
        (HEADER.replace("pixel5,", "pixel55,") + ROW, "column"),
        (HEADER.replace("label", "digit") + ROW, "column"),
        (HEADER.replace(",pixel783", "") + ROW.replace(",255\n", "\n"), "column"),
        (HEADER.replace("\n", ",extra\n") + ROW.replace("\n", ",1\n"), "column"),
        (HEADER.replace("pixel0,pixel1,", "pixel1,pixel0,") + ROW, "column"),
        (HEADER + ROW.replace(",255\n", ",256\n"), "256"),
        (HEADER + ROW.replace(",255\n", ",-1\n"), "0 to 255"),
        (HEADER + ROW.replace(",255\n", ",1.5\n"), "0 to 255"),
        (HEADER + ROW.replace(",255\n", ",ink\n"), "ink"),
        (HEADER + ROW * 2_000 + ROW.replace("7,", "seven,"), "seven"),
        (HEADER + ROW.replace(",12,", ",,"), "cell"),
        (HEADER + ROW.replace(",12,255", ",12"), "cell"),  # a line cut short
        (HEADER + ROW.replace("\n", ",1\n"), "column"),
        (",".join(["label", *(f"pixel{i}" for i in range(1_000_000))]) + "\n", "column"),
        (HEADER + "11" + ROW[1:], "labels 0 to 9, found 11"),
        (HEADER + ROW[:-1], "cut off"),  # perhaps in the middle of the last value
        (HEADER, "no rows"),
        ("", "column"),
        ("<html>\n<body>Not found</body>\n</html>\n", "column"),
    ],
)
def test_another_table_is_refused_in_one_line(path, text, word):
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(TableError) as refusal:
        read_csv(path, 10)
    message = str(refusal.value)
    assert message.startswith(f"{path}: expected ")
    assert word in message
    assert "\n" not in message


def test_a_missing_file_ends_a_stage_with_one_line_that_names_it(path):
    with pytest.raises(SystemExit) as end:
        run(lambda: read_csv(path))
    assert str(end.value).startswith(f"error: {path}: ")
    assert "\n" not in str(end.value)
