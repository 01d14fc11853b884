"""IDX to CSV: speed and peak memory of this project's converter beside what others do, and how both grow.

MNIST's training images, repeated or cut to each number of rows. Every run is a process of its own; contenders take
turns. `copy` copies the finished CSV, which is what the machine's disk and memory allow.

Reads:  data/raw/
Writes: benchmarks/convert.json
Run:    python -m benchmarks.convert    (needs 17 GB in the temporary folder for its 6,000,000 rows)
"""

import filecmp
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist.core.errors import run

HEADER = ",".join(["label", *(f"pixel{i}" for i in range(784))])  # mnist.core.table's would load NumPy and Polars
RAW = {  # bytes of the header, of a row
    "images": (Path("data/raw/train-images-idx3-ubyte"), 16, 784),
    "labels": (Path("data/raw/train-labels-idx1-ubyte"), 8, 1),
}
ROUNDS = 3  # of 60,000 rows, each contender
LARGER = {600_000: ("this_project", "polars", "pyarrow"), 6_000_000: ("this_project",)}  # rows: who writes them, once


Write = Callable[[Path, Path, Path], object]  # images, labels, the CSV


def this_project() -> Write:
    """stages.convert's own call."""
    from mnist.core.table import write_csv
    from mnist.data.conversion import BLOCK
    from mnist.data.idx import read_pairs

    return lambda images, labels, path: write_csv(
        read_pairs(images, labels, classes=10, size=(28, 28), block=BLOCK), path
    )


def byte_loop() -> Write:
    """The original's loop: a byte, a number, a string at a time (with the header line, which it did not write)."""

    def write(images: Path, labels: Path, path: Path) -> None:
        with images.open("rb") as image_file, labels.open("rb") as label_file, path.open("w", encoding="utf-8") as file:
            image_file.read(16)
            label_file.read(8)
            file.write(HEADER + "\n")
            for _ in range(labels.stat().st_size - 8):
                row = [ord(label_file.read(1))]
                for _ in range(784):
                    row.append(ord(image_file.read(1)))  # as it was
                file.write(",".join(str(value) for value in row) + "\n")

    return write


def numpy_savetxt() -> Write:
    """numpy.savetxt, all rows at once."""
    import numpy as np

    return lambda images, labels, path: np.savetxt(
        path, _table(images, labels), fmt="%d", delimiter=",", header=HEADER, comments=""
    )


def pandas() -> Write:
    """pandas' to_csv, all rows at once."""
    import pandas as pd

    return lambda images, labels, path: pd.DataFrame(_table(images, labels), columns=HEADER.split(",")).to_csv(
        path, index=False, lineterminator="\n"
    )


def polars() -> Write:
    """Polars' write_csv, all rows at once."""
    import polars as pl

    return lambda images, labels, path: pl.from_numpy(_table(images, labels), schema=HEADER.split(",")).write_csv(path)


def pyarrow() -> Write:
    """PyArrow's write_csv, all rows at once."""
    import pyarrow as pa
    from pyarrow import csv

    def write(images: Path, labels: Path, path: Path) -> None:
        table = pa.table(dict(zip(HEADER.split(","), _table(images, labels).T.copy(), strict=True)))
        csv.write_csv(table, path, csv.WriteOptions(quoting_header="none"))

    return write


def _table(images: Path, labels: Path) -> Any:
    import numpy as np

    pixels = np.fromfile(images, np.uint8, offset=16).reshape(-1, 784)
    return np.column_stack([np.fromfile(labels, np.uint8, offset=8), pixels])


# Each imports what it needs, and no more, before it is timed.
CONTENDERS: dict[str, Callable[[], Write]] = {
    contender.__name__: contender for contender in (this_project, byte_loop, numpy_savetxt, pandas, polars, pyarrow)
}


def measure(contender: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory (bytes) of one run in this process, from {images,labels} to <contender>.csv."""
    write = CONTENDERS[contender]()
    start = time.perf_counter()
    write(folder / "images", folder / "labels", folder / f"{contender}.csv")
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024  # bytes; of ru_maxrss
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def in_a_process(contender: str, folder: Path) -> dict[str, float]:
    """`measure` in a process of its own, which imports what that contender needs and no more."""
    command = [sys.executable, "-m", "benchmarks.convert", contender, str(folder)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result


def write_idx(folder: Path, rows: int) -> None:
    """The training images and labels, repeated or cut to `rows` rows."""
    for name, (source, start, size) in RAW.items():
        with source.open("rb") as original, (folder / name).open("wb") as file:
            header, left = original.read(start), rows * size
            file.write(header[:4] + rows.to_bytes(4, "big") + header[8:])
            while left:
                part = original.read(min(left, 2**20))
                left -= file.write(part)
                if not part:
                    original.seek(start)


def compare(folder: Path, rows: int, contenders: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """A row of the table for each contender, and one for the copy; all must have written the same bytes."""
    write_idx(folder, rows)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in contenders:
            print(f"{rows:,} rows: {name}", file=sys.stderr)
            runs[name].append(in_a_process(name, folder))
    start = time.perf_counter()
    shutil.copyfile(folder / "this_project.csv", folder / "copy.csv")
    copied = time.perf_counter() - start
    others = [folder / f"{name}.csv" for name in contenders if name != "this_project"]
    if not all(filecmp.cmp(folder / "this_project.csv", path, shallow=False) for path in others):
        raise ValueError(f"{rows:,} rows: the contenders' files differ")
    medians = {name: statistics.median(run["seconds"] for run in done) for name, done in runs.items()}
    table = [
        {
            "rows": rows,
            "contender": name,
            "seconds": seconds,
            "rows_per_second": rows / seconds,
            "times_this_project": seconds / medians["this_project"],
            "peak_megabytes": runs[name][0]["peak"] / 1e6 if name in runs else None,
        }
        for name, seconds in (medians | {"copy": copied}).items()
    ]
    for path in folder.iterdir():
        path.unlink()
    return table


def main() -> None:
    """Compare all at MNIST's size, then let the fastest grow."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = compare(folder, 60_000, CONTENDERS, ROUNDS)
        for size, names in LARGER.items():
            rows += compare(folder, size, {name: CONTENDERS[name] for name in names}, rounds=1)
    from benchmarks.report import report  # after the runs, whose peak memory would begin at this process's own

    report("convert", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:  # called by `in_a_process`
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        run(main)
