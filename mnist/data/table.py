"""The CSV format, both ways: `label,pixel0,…,pixel783`, then one row per image, integers 0–255."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from mnist.errors import PipelineError, first_line
from mnist.pixels import SIDE

COLUMNS = ["label", *(f"pixel{i}" for i in range(SIDE * SIDE))]
HEADER = ",".join(COLUMNS).encode()


class TableError(PipelineError):
    """The file is not the CSV that was expected."""


def write_csv(blocks: Iterable[tuple[np.ndarray, np.ndarray]], path: Path) -> int:
    """Write blocks of `uint8` images `(m, 28, 28)` and labels `(m,)` as one CSV; memory holds one block.

    Returns:
        The number of rows.
    """
    rows = 0
    with path.open("wb") as file:
        file.write(HEADER + b"\n")
        for images, labels in blocks:
            values = np.column_stack([labels, images.reshape(len(images), -1)])
            pl.from_numpy(values, schema=COLUMNS).write_csv(file, include_header=False)
            rows += len(labels)
    return rows


def read_csv(path: Path, classes: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Read such a CSV.

    Returns:
        `uint8` images `(n, 28, 28)`, 0 = background, 255 = full ink, and labels `(n,)` in 0 … classes-1.

    Raises:
        TableError: other columns, an empty table, a label that is no class, or a value outside 0–255.
    """
    with path.open("rb") as file:
        header = file.readline(len(HEADER) + 3)  # and no more: Polars takes a minute to refuse a million columns
    if header.rstrip(b"\r\n") != HEADER:
        raise TableError(f"{path}: expected columns label, pixel0 … pixel783, found {header[:30]!r} …")
    try:
        frame = pl.read_csv(path, schema_overrides=dict.fromkeys(COLUMNS, pl.UInt8))
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: expected integers 0 to 255 in {len(COLUMNS)} columns; {first_line(error)}") from None
    if frame.is_empty() or sum(frame.null_count().row(0)):
        raise TableError(
            f"{path}: expected a value in every cell, found {'no rows' if frame.is_empty() else 'empty cells'}"
        )
    values = frame.to_numpy()
    if (largest := values[:, 0].max()) >= classes:
        raise TableError(f"{path}: expected labels 0 to {classes - 1}, found {largest}")
    return values[:, 1:].reshape(-1, SIDE, SIDE), values[:, 0]
