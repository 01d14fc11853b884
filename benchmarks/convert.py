"""IDX to CSV: this project's converter beside the original's byte loop and pandas, on MNIST's 60,000 training images.

Each contender writes the same file in turn, ROUNDS times; the medians and their ratios count, not single times.

Reads:  data/raw/
Writes: benchmarks/convert.json
Run:    python -m benchmarks.convert
"""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from stages.convert import BLOCK
from stages.lib.errors import run
from stages.lib.files import write_json
from stages.lib.idx import read_pairs
from stages.lib.table import COLUMNS, write_csv

IMAGES, LABELS = Path("data/raw/train-images-idx3-ubyte"), Path("data/raw/train-labels-idx1-ubyte")
ROWS, PIXELS = 60_000, 784
ROUNDS = 3


def this_project(path: Path) -> None:
    """stages.convert's own call."""
    write_csv(read_pairs(IMAGES, LABELS, classes=10, block=BLOCK), path)


def byte_loop(path: Path) -> None:
    """The original's loop: a byte, a number, a string at a time (with the header that it did not write)."""
    with IMAGES.open("rb") as images, LABELS.open("rb") as labels, path.open("w", encoding="utf-8") as file:
        images.read(16)
        labels.read(8)
        file.write(",".join(COLUMNS) + "\n")
        for _ in range(ROWS):
            row = [ord(labels.read(1))]
            for _ in range(PIXELS):
                row.append(ord(images.read(1)))  # as it was
            file.write(",".join(str(value) for value in row) + "\n")


def pandas_to_csv(path: Path) -> None:
    """pandas, all rows at once."""
    images = np.fromfile(IMAGES, np.uint8, offset=16).reshape(ROWS, PIXELS)
    labels = np.fromfile(LABELS, np.uint8, offset=8)
    pd.DataFrame(np.column_stack([labels, images]), columns=COLUMNS).to_csv(path, index=False, lineterminator="\n")


CONTENDERS: dict[str, Callable[[Path], None]] = {
    "this project": this_project,
    "byte loop": byte_loop,
    "pandas": pandas_to_csv,
}


def main() -> None:
    """Print the table and write the same figures as JSON."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, write in CONTENDERS.items():
                path = Path(folder, "train.csv")
                start = time.perf_counter()
                write(path)
                seconds[name].append(time.perf_counter() - start)
                digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = medians["this project"]
    report = {
        name: {"seconds": round(value, 3), "rows_per_second": round(ROWS / value), "ratio": round(value / ours, 1)}
        for name, value in medians.items()
    }
    write_json(Path("benchmarks/convert.json"), report)
    print(f"{ROWS:,} rows, median of {ROUNDS}; all files the same: {len(digests) == 1}")
    for name, row in report.items():
        print(f"{name:13} {row['seconds']:7.2f} s {row['rows_per_second']:9,} rows/s {row['ratio']:6.1f}×")


if __name__ == "__main__":
    run(main)
