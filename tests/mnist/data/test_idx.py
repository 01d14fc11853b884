"""The IDX format, by byte literals."""

import io

import numpy as np
import pytest

from mnist.data.idx import IdxError, read_header, read_idx, read_pairs, write_idx

# Two images of 2×3 pixels, and three labels.
IMAGES = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03\x00\x01\x02\x03\x04\x05\xfa\xfb\xfc\xfd\xfe\xff"
LABELS = b"\0\0\x08\x01\0\0\0\x03\x07\x00\x09"

PAIRS = [
    (IMAGES, np.array([[[0, 1, 2], [3, 4, 5]], [[250, 251, 252], [253, 254, 255]]], np.uint8)),
    (LABELS, np.array([7, 0, 9], np.uint8)),
    (b"\0\0\x08\x01\0\0\0\0", np.zeros(0, np.uint8)),
    (b"\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", np.zeros((0, 28, 28), np.uint8)),
]


@pytest.mark.parametrize(("literal", "array"), PAIRS)
def test_bytes_become_the_array(literal, array):
    found = read_idx(io.BytesIO(literal))
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    assert np.array_equal(found, array)


@pytest.mark.parametrize(("literal", "array"), PAIRS)
def test_the_array_becomes_the_bytes(literal, array):
    file = io.BytesIO()
    write_idx(file, array)
    assert file.getvalue() == literal


def test_an_array_that_is_not_contiguous_is_written_row_by_row():
    file = io.BytesIO()
    write_idx(file, np.array([[[1, 2], [3, 4]]], np.uint8).transpose(0, 2, 1))
    assert file.getvalue().endswith(b"\x01\x03\x02\x04")


def test_sizes_are_big_endian():
    assert read_idx(io.BytesIO(b"\0\0\x08\x01\0\0\x01\x00" + bytes(256))).shape == (256,)


def test_the_stream_stands_at_the_first_element_after_the_header():
    file = io.BytesIO(LABELS)
    assert read_header(file) == (3,)
    assert file.read() == b"\x07\x00\x09"


@pytest.mark.parametrize(
    ("literal", "expected", "found"),
    [
        (b"", "00000801", "no bytes"),
        (b"\0\0\x08", "00000803", "000008"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "00000803", "1f8b0800"),  # gzip, not unpacked
        (b"\0\0\x0d\x03" + bytes(12), "00000803", "00000d03"),  # floats
        (b"\0\0\x08\x02" + bytes(8), "00000803", "00000802"),  # two dimensions
        (b"\x01\0\x08\x01" + bytes(4), "00000801", "01000801"),
        (IMAGES[:10], "expected 16 header bytes", "found 10"),
        (LABELS[:4], "expected 8 header bytes", "found 4"),
        (IMAGES[:-1], "truncated: expected 12 bytes", "found 11"),
        (LABELS[:8], "truncated: expected 3 bytes", "found 0"),
        (IMAGES + b"!", "trailing bytes: expected 12 bytes", "found 13"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "truncated: expected 79228162458924105385300197375 bytes", "found 0"),
    ],
)
def test_malformed_bytes_are_refused_with_name_expected_and_found(literal, expected, found):
    with pytest.raises(IdxError) as refusal:
        read_idx(io.BytesIO(literal), "some-file")
    message = str(refusal.value)
    assert message.startswith("some-file: ")
    assert expected in message
    assert found in message
    assert "\n" not in message


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "some-images", tmp_path / "some-labels"


def write_pair(paths, images, labels):
    for path, content in zip(paths, (images, labels), strict=True):
        path.write_bytes(content)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 9, 10, 11])
def test_blocks_cover_all_rows_in_order(paths, block):
    images = np.random.default_rng(0).integers(0, 256, (10, 2, 3), np.uint8)
    labels = np.arange(10, dtype=np.uint8)
    write_pair(
        paths,
        b"\0\0\x08\x03\0\0\0\x0a\0\0\0\x02\0\0\0\x03" + images.tobytes(),
        b"\0\0\x08\x01\0\0\0\x0a" + bytes(labels),
    )
    blocks = list(read_pairs(*paths, classes=10, size=(2, 3), block=block))
    assert max(len(x) for x, _ in blocks) <= block
    assert len(blocks) == -(-10 // block)
    assert np.array_equal(np.concatenate([x for x, _ in blocks]), images)
    assert np.array_equal(np.concatenate([y for _, y in blocks]), labels)


def test_images_that_are_stored_by_columns_are_transposed(paths):
    write_pair(paths, IMAGES, b"\0\0\x08\x01\0\0\0\x02\x07\x00")
    ((images, _),) = read_pairs(*paths, classes=10, size=(3, 2), block=5, transpose=True)
    assert images.tolist() == [[[0, 3], [1, 4], [2, 5]], [[250, 253], [251, 254], [252, 255]]]
    with pytest.raises(IdxError, match=r"expected images of 3×2 pixels, found 2×3$"):
        next(read_pairs(*paths, classes=10, size=(2, 3), block=5, transpose=True))


def test_no_rows_are_no_blocks(paths):
    write_pair(paths, PAIRS[3][0], PAIRS[2][0])
    assert list(read_pairs(*paths, classes=10, size=(28, 28), block=4)) == []


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (IMAGES, LABELS, ["some-images", "some-labels", "expected equal counts", "found 2 images and 3 labels"]),
        (LABELS, LABELS, ["some-images", "expected 3 dimensions and 1", "found 1 and 1"]),
        (IMAGES, IMAGES, ["some-labels", "expected 3 dimensions and 1", "found 3 and 3"]),
        (IMAGES, b"\0\0\x08\x01\0\0\0\x02\x09\x0a", ["some-labels", "expected labels 0 to 9", "found 10 at row 1"]),
        (IMAGES[:-2], LABELS, ["some-images", "truncated", "found 10"]),
        (IMAGES, LABELS + b"x", ["some-labels", "trailing bytes", "found 4"]),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(paths, images, labels, words):
    write_pair(paths, images, labels)
    with pytest.raises(IdxError) as refusal:
        list(read_pairs(*paths, classes=10, size=(2, 3), block=1))
    assert all(word in str(refusal.value) for word in words)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("size", [(3, 2), (2, 4), (1, 6)])
def test_images_of_another_size_are_refused_before_one_is_read(paths, size):
    write_pair(paths, IMAGES, b"\0\0\x08\x01\0\0\0\x02\x07\x00")
    expected = rf"some-images: expected images of {size[0]}×{size[1]} pixels, found 2×3"
    with pytest.raises(IdxError, match=expected):
        next(read_pairs(*paths, classes=10, size=size, block=1))
