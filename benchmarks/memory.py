"""How much memory the train stage takes as the data grow: the tables of MNIST, repeated.

The network is tiny and trained for one epoch. `growth by pixels` is the peak beyond that with 1,000 rows, which is that
of TensorFlow itself, divided by the bytes of the pixels.

Reads:  data/csv/train.csv
Writes: benchmarks/memory.json
Run:    python -m benchmarks.memory    (needs 12 GB in the temporary folder for its 6,000,000 rows)
"""

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.report import report
from mnist.errors import run
from mnist.paths import TRAIN_CSV

ROWS = (1_000, 60_000, 600_000, 6_000_000)
MB = 10**6
LAYERS = [{"AveragePooling2D": {"pool_size": 4}}, {"Flatten": {}}, {"Dense": {"activation": "softmax"}}]
SETTINGS = {
    "epochs": 1,
    "batch_size": 1024,
    "optimizer": {"Adam": {}},
    "learning_rate": 0.001,
    "validation_split": 0.05,
}


def main() -> None:
    """Train on each number of rows and report the largest memory."""
    start, results = 0, []
    for rows in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), rows)
            taken = largest_memory(Path(folder))
        start, pixels = start or taken, rows * 784
        growth = None if rows == ROWS[0] else (taken - start) / pixels
        results.append(
            {"rows": rows, "pixel_megabytes": pixels / MB, "peak_megabytes": taken / MB, "growth_by_pixels": growth}
        )
    report("memory", results)


def prepare(folder: Path, rows: int) -> None:
    """A project in `folder` with a table of so many rows."""
    table = folder / TRAIN_CSV
    table.parent.mkdir(parents=True)
    with TRAIN_CSV.open("rb") as source, table.open("wb") as target:
        target.write(source.readline())
        lines = source.readlines()
        target.writelines(itertools.islice(itertools.cycle(lines), rows))
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["architectures"]["tiny"], params["trainings"]["tiny"] = LAYERS, SETTINGS
    params.update(architecture="tiny", training="tiny")
    yaml.dump(params, folder / "params.yaml")


def largest_memory(folder: Path) -> int:
    """The largest resident set of `stages.train` in `folder`, in bytes."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen([sys.executable, "-m", "stages.train"], cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"stages.train failed with {status}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    run(main)
