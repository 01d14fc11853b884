"""Convert stage: IDX to CSV, and a sheet of labelled samples.

Reads:  data/raw/; params `dataset`, `datasets`
Writes: data/csv/train.csv, data/csv/test.csv, metrics/plots/samples.png
Run:    python -m stages.convert
"""

from collections.abc import Iterator

import numpy as np

from mnist import figures
from mnist.data.idx import read_pairs
from mnist.data.table import write_csv
from mnist.errors import PipelineError, run_stage
from mnist.files import atomic
from mnist.params import load_params
from mnist.paths import PLOTS, RAW, TEST_CSV, TRAIN_CSV
from mnist.sections import Dataset

BLOCK = 20_000  # rows in memory at a time, 16 MB; Polars is slower with fewer


def main() -> None:
    """Write both CSV files in one streamed pass each, then draw the sample sheet from the first rows."""
    dataset = load_params().chosen_dataset
    with atomic(TRAIN_CSV.parent) as folder:
        folder.mkdir()
        for prefix, table in (("train", TRAIN_CSV), ("t10k", TEST_CSV)):
            rows = write_csv(pairs(prefix, dataset), folder / table.name, dataset.size)
            if not rows:
                raise PipelineError(f"{RAW}/{prefix}-images-idx3-ubyte: expected images, found none")
            print(f"{table}: {rows:,} rows")
    figures.save(figures.samples(*next(pairs("train", dataset)), dataset.classes), PLOTS / "samples.png")


def pairs(prefix: str, dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of images and labels from a pair of IDX files."""
    images, labels = RAW / f"{prefix}-images-idx3-ubyte", RAW / f"{prefix}-labels-idx1-ubyte"
    return read_pairs(images, labels, len(dataset.classes), dataset.size, BLOCK, dataset.transpose)


if __name__ == "__main__":
    run_stage(main)
