"""Convert stage: IDX to CSV, and a sheet of labelled samples.

Reads:  data/raw/, datasets/; param `dataset`
Writes: data/csv/train.csv, data/csv/test.csv, metrics/plots/samples.png
Run:    python -m stages.convert
"""

if not __package__:
    raise SystemExit("error: expected `python -m stages.convert` in the project's folder, found a file that was run")

from mnist.core.errors import UserError, run_stage
from mnist.core.files import atomic
from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import PLOTS, RAW, TRAIN_CSV
from mnist.data import figures
from mnist.data.conversion import pairs, write_tables
from stages import inputs_of


def main() -> None:
    """Write both CSV files in one streamed pass each, then draw the sample sheet from the first rows."""
    inputs = inputs_of("convert")
    dataset = load_dataset(load_recipe().dataset)
    with atomic(TRAIN_CSV.parent) as folder:
        folder.mkdir()
        for prefix, table, rows in write_tables(RAW, dataset, folder):
            if not rows:
                raise UserError(f"{RAW}/{prefix}-images-idx3-ubyte: expected images, found none")
            print(f"{TRAIN_CSV.parent / table}: {rows:,} rows")
        inputs.check()
    figures.save(figures.samples(*next(pairs(RAW, "train", dataset)), dataset.classes), PLOTS / "samples.png")


if __name__ == "__main__":
    run_stage(main)
