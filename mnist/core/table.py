"""The CSV format, both ways: `label,pixel0,…,pixel783`, then one row per image, integers 0–255."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from mnist.core.errors import UserError, first_line
from mnist_reader.core.pixels import SHAPE, Shape

BLOCK = 2**23  # bytes of text that are in memory at a time


class TableError(UserError):
    """The file is not the CSV that was expected."""


def columns(shape: Shape) -> list[str]:
    """The names of the columns."""
    return ["label", *(f"pixel{i}" for i in range(math.prod(shape)))]


def write_csv(blocks: Iterable[tuple[np.ndarray, np.ndarray]], path: Path, shape: Shape = SHAPE) -> int:
    """Write blocks of `uint8` images `(m, *shape)` and labels `(m,)` as one CSV; memory holds one block.

    Returns:
        The number of rows.
    """
    rows, names = 0, columns(shape)
    with path.open("wb") as file:
        file.write(",".join(names).encode() + b"\n")
        for images, labels in blocks:
            values = np.column_stack([labels, images.reshape(len(images), -1)])
            pl.from_numpy(values, schema=names).write_csv(file, include_header=False)
            rows += len(labels)
    return rows


def read_csv(path: Path, classes: int = 256, shape: Shape = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Read such a CSV; beside what it returns, memory holds one block of it.

    Returns:
        `uint8` images `(n, *shape)`, 0 = background, 255 = full ink, and labels `(n,)` in 0 … classes-1.

    Raises:
        TableError: other columns, an empty table, a label that is no class, or a value outside 0–255.
    """
    names = columns(shape)
    expected = ",".join(names).encode()
    with path.open("rb") as file:
        header = file.readline(len(expected) + 3)  # and no more: there may be a million columns
        if header.rstrip(b"\r\n") != expected:
            raise TableError(f"{path}: expected columns label, pixel0 … {names[-1]}, found {header[:30]!r} …")
        rows, last = _lines(file)
        if not rows:
            raise TableError(f"{path}: expected a value in every cell, found no rows")
        if last != b"\n":
            raise TableError(f"{path}: expected an end of line at the end, found {last!r}; was the file cut off?")
        images, labels, start = np.empty((rows, *shape), np.uint8), np.empty(rows, np.uint8), 0
        for block in _blocks(file):
            values = _parsed(block, names, path)
            stop = start + len(values)
            labels[start:stop], images[start:stop] = values[:, 0], values[:, 1:].reshape(-1, *shape)
            start = stop
    if (largest := labels.max()) >= classes:
        raise TableError(f"{path}: expected labels 0 to {classes - 1}, found {largest}")
    return images, labels


def _lines(file: BinaryIO) -> tuple[int, bytes]:
    """How many lines follow, and the last byte; the file stays where it is."""
    start, count, last = file.tell(), 0, b"\n"
    while block := file.read(BLOCK):
        count, last = count + block.count(b"\n"), block[-1:]
    file.seek(start)
    return count + (last != b"\n"), last


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file, cut at the ends of lines."""
    while block := file.read(BLOCK):
        yield block + file.readline()


def _parsed(block: bytes, names: list[str], path: Path) -> np.ndarray:
    """Lines of text as `uint8` `(lines, columns)`."""
    try:
        frame = pl.read_csv(block, has_header=False, schema=dict.fromkeys(names, pl.UInt8), missing_columns="insert")
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: expected integers 0 to 255 in {len(names)} columns; {first_line(error)}") from None
    if len(frame) != block.count(b"\n") or sum(frame.null_count().row(0)):
        raise TableError(f"{path}: expected a value in every cell, found empty cells")
    return frame.to_numpy()
