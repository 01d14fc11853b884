"""Convert stage: IDX to CSV, and a sheet of labelled samples.

Reads:  data/raw/; params `dataset`, `datasets`
Writes: data/csv/train.csv, data/csv/test.csv, metrics/plots/samples.png
Run:    python -m stages.convert
"""

from pathlib import Path

from mnist import figures
from mnist.data.idx import read_pairs
from mnist.data.table import write_csv
from mnist.errors import PipelineError, run
from mnist.files import atomic
from mnist.params import load_params

RAW = Path("data/raw")
BLOCK = 1_000  # rows in memory at a time; as text they fit the processor's cache


def main() -> None:
    """Write both CSV files in one streamed pass each, then draw the sample sheet from the first rows."""
    classes = load_params().chosen_dataset.classes
    with atomic(Path("data/csv")) as folder:
        folder.mkdir()
        for prefix, name in (("train", "train.csv"), ("t10k", "test.csv")):
            pairs = read_pairs(
                RAW / f"{prefix}-images-idx3-ubyte", RAW / f"{prefix}-labels-idx1-ubyte", len(classes), BLOCK
            )
            rows = write_csv(pairs, folder / name)
            if not rows:
                raise PipelineError(f"{RAW}/{prefix}-images-idx3-ubyte: expected images, found none")
            print(f"data/csv/{name}: {rows:,} rows")
    first = read_pairs(RAW / "train-images-idx3-ubyte", RAW / "train-labels-idx1-ubyte", len(classes), BLOCK)
    figures.save(figures.samples(*next(first), classes), Path("metrics/plots/samples.png"))


if __name__ == "__main__":
    run(main)
