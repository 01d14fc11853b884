"""IDX files → CSV tables, a block of rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mnist.core.sections import Dataset
from mnist.core.table import write_csv
from mnist.data.idx import read_pairs

BLOCK = 20_000  # rows in memory at a time, 16 MB; Polars is slower with fewer
TABLES = {"train": "train.csv", "t10k": "test.csv"}  # by the first part of the IDX files' names


def pairs(raw: Path, prefix: str, dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of images `uint8` `(m, *shape)` and labels `(m,)` from a pair of IDX files in the folder `raw`.

    Raises:
        IdxError: see mnist.data.idx.
    """
    images, labels = raw / f"{prefix}-images-idx3-ubyte", raw / f"{prefix}-labels-idx1-ubyte"
    return read_pairs(images, labels, len(dataset.classes), dataset.size, BLOCK)


def write_tables(raw: Path, dataset: Dataset, folder: Path) -> Iterator[tuple[str, str, int]]:
    """Write both tables into `folder`, in one streamed pass each.

    Yields:
        After each: the first part of the IDX files' names, the table's name, and how many rows it has.
    """
    for prefix, table in TABLES.items():
        yield prefix, table, write_csv(pairs(raw, prefix, dataset), folder / table, dataset.size)
