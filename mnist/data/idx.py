"""The IDX format, both ways: how MNIST's images and labels are stored.

Layout (big-endian): two zero bytes, the element type (0x08 = unsigned byte), the number of dimensions,
one 32-bit size per dimension, then the elements in row-major order.

Source: the description at http://yann.lecun.com/exdb/mnist/ ("THE IDX FILE FORMAT").
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mnist.core.errors import UserError

UNSIGNED_BYTE = 0x08


class IdxError(UserError):
    """The bytes are not the IDX that was expected."""


def read_header(file: BinaryIO, name: str = "IDX stream") -> tuple[int, ...]:
    """Read the header of an uncompressed IDX stream and check the length of what follows.

    Returns:
        The shape: `(n, rows, columns)` for images, `(n,)` for labels. The stream stands at the first element.

    Raises:
        IdxError: not IDX, not unsigned bytes, or bytes missing or left over.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or magic[3] not in (1, 3):
        raise IdxError(
            f"{name}: expected IDX magic 00000801 (labels) or 00000803 (images), found {magic.hex() or 'no bytes'}"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise IdxError(f"{name}: expected {4 + 4 * magic[3]} header bytes, found {4 + len(sizes)}")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    start = file.tell()
    length = file.seek(0, 2) - start
    file.seek(start)
    if length != math.prod(shape):
        kind = "truncated" if length < math.prod(shape) else "trailing bytes"
        raise IdxError(f"{name}: {kind}: expected {math.prod(shape)} bytes after the header {shape}, found {length}")
    return shape


def read_idx(file: BinaryIO, name: str = "IDX stream") -> np.ndarray:
    """Read one uncompressed IDX stream.

    Returns:
        `uint8` array: images `(n, rows, columns)`, 0 = background, 255 = full ink; labels `(n,)`.

    Raises:
        IdxError: the header is not IDX, or bytes are missing or left over.
    """
    shape = read_header(file, name)
    return np.frombuffer(file.read(math.prod(shape)), np.uint8).reshape(shape)


def write_idx(file: BinaryIO, array: np.ndarray) -> None:
    """Write a `uint8` array of one (labels) or three (images) dimensions as IDX."""
    file.write(bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape))
    file.write(np.ascontiguousarray(array, np.uint8).tobytes())


def read_pairs(
    images: Path, labels: Path, classes: int, size: tuple[int, int], block: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read an images file and its labels file side by side, `block` rows at a time; each image has this `size`.

    Yields:
        `uint8` images `(m, rows, columns)` and labels `(m,)` in 0 … classes-1, with m ≤ block.

    Raises:
        IdxError: either file is malformed, they do not belong together, the images have another size, or a label is no
            class.
    """
    with images.open("rb") as image_file, labels.open("rb") as label_file:
        shape = read_header(image_file, str(images))
        count = read_header(label_file, str(labels))
        if len(shape) != 3 or len(count) != 1:
            raise IdxError(f"{images}, {labels}: expected 3 dimensions and 1, found {len(shape)} and {len(count)}")
        if shape[1:] != size:
            raise IdxError(f"{images}: expected images of {size[0]}×{size[1]} pixels, found {shape[1]}×{shape[2]}")
        if shape[0] != count[0]:
            raise IdxError(f"{images}, {labels}: expected equal counts, found {shape[0]} images and {count[0]} labels")
        for start in range(0, shape[0], block):
            m = min(block, shape[0] - start)
            y = np.frombuffer(label_file.read(m), np.uint8)
            if y.max() >= classes:
                at = int(np.argmax(y >= classes))
                raise IdxError(f"{labels}: expected labels 0 to {classes - 1}, found {y[at]} at row {start + at}")
            yield np.frombuffer(image_file.read(m * math.prod(size)), np.uint8).reshape(m, *size), y
