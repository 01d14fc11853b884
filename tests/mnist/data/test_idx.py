"""The IDX format, by byte literals."""

import io

import numpy as np
import pytest

from mnist.data.idx import IdxError, read_header, read_idx, read_pairs, write_idx

# Two images of 2×3 pixels; three labels, and two.
IMAGES = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03\x00\x01\x02\x03\x04\x05\xfa\xfb\xfc\xfd\xfe\xff"
LABELS, TWO_LABELS = b"\0\0\x08\x01\0\0\0\x03\x07\x00\x09", b"\0\0\x08\x01\0\0\0\x02\x07\x00"
NO_IMAGES, NO_LABELS = b"\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", b"\0\0\x08\x01\0\0\0\0"


@pytest.mark.parametrize(
    ("literal", "array"),
    [
        (IMAGES, np.array([[[0, 1, 2], [3, 4, 5]], [[250, 251, 252], [253, 254, 255]]], np.uint8)),
        (LABELS, np.array([7, 0, 9], np.uint8)),
        (NO_LABELS, np.zeros(0, np.uint8)),
        (NO_IMAGES, np.zeros((0, 28, 28), np.uint8)),
        (b"\0\0\x08\x01\0\0\x01\x00" + bytes(256), np.zeros(256, np.uint8)),  # sizes are big-endian
        (b"\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02\1\3\2\4", np.array([[[1, 2], [3, 4]]], np.uint8).swapaxes(1, 2)),
    ],
)
def test_bytes_become_the_array_and_the_array_the_bytes(literal, array):
    read, written = read_idx(io.BytesIO(literal)), io.BytesIO()
    assert (read.dtype, read.shape, read.tolist()) == (np.uint8, array.shape, array.tolist())
    write_idx(written, array)
    assert written.getvalue() == literal


def test_the_stream_stands_at_the_first_element_after_the_header():
    file = io.BytesIO(LABELS)
    assert (read_header(file), file.read()) == ((3,), b"\x07\x00\x09")


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
    with pytest.raises(IdxError, match=f"^some-file: .*{expected}.*{found}$"):
        read_idx(io.BytesIO(literal), "some-file")


@pytest.fixture
def pairs(tmp_path):
    """Write a file of images and one of labels, and read them side by side."""

    def read(images, labels, size=(2, 3), block=1):
        (tmp_path / "some-images").write_bytes(images)
        (tmp_path / "some-labels").write_bytes(labels)
        return read_pairs(tmp_path / "some-images", tmp_path / "some-labels", 10, size, block)

    return read


@pytest.mark.parametrize("block", [1, 2, 3, 5, 9, 10, 11])
def test_blocks_cover_all_rows_in_order(pairs, block):
    images = np.random.default_rng(0).integers(0, 256, (10, 2, 3), np.uint8)
    header = b"\0\0\x08\x03\0\0\0\x0a\0\0\0\x02\0\0\0\x03"
    blocks = list(pairs(header + images.tobytes(), b"\0\0\x08\x01\0\0\0\x0a" + bytes(range(10)), block=block))
    assert max(len(x) for x, _ in blocks) <= block
    assert len(blocks) == -(-10 // block)
    assert np.array_equal(np.concatenate([x for x, _ in blocks]), images)
    assert np.concatenate([y for _, y in blocks]).tolist() == list(range(10))


def test_no_rows_are_no_blocks(pairs):
    assert list(pairs(NO_IMAGES, NO_LABELS, (28, 28))) == []


@pytest.mark.parametrize(
    ("images", "labels", "line"),
    [
        (IMAGES, LABELS, "some-images, .*some-labels: expected equal counts, found 2 images and 3 labels"),
        (LABELS, LABELS, "some-images, .*some-labels: expected 3 dimensions and 1, found 1 and 1"),
        (IMAGES, IMAGES, "some-images, .*some-labels: expected 3 dimensions and 1, found 3 and 3"),
        (IMAGES, TWO_LABELS[:-1] + b"\x0a", "some-labels: expected labels 0 to 9, found 10 at row 1"),
        (IMAGES[:-2], TWO_LABELS, "some-images: truncated: .* found 10"),
        (IMAGES, LABELS + b"x", "some-labels: trailing bytes: .* found 4"),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(pairs, images, labels, line):
    with pytest.raises(IdxError, match=f"{line}$"):
        list(pairs(images, labels))


@pytest.mark.parametrize("size", [(3, 2), (2, 4), (1, 6)])
def test_images_of_another_size_are_refused_before_one_is_read(pairs, size):
    with pytest.raises(IdxError, match=f"some-images: expected images of {size[0]}×{size[1]} pixels, found 2×3$"):
        next(pairs(IMAGES, TWO_LABELS, size))
