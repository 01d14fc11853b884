"""Download and convert a data set that is not the chosen one, so that pairs can be measured on it as well.

Reads:  params `datasets`
Writes: data/seeds/<data set>/{train,test}.csv
Run:    python -m seeds.tables --dataset fashion_mnist; `dvc repro seeds/dvc.yaml` runs it where it is needed
"""

import argparse
import tempfile
from pathlib import Path

from mnist.core.errors import UserError, nearest, run
from mnist.core.files import atomic
from mnist.core.params import load_params
from mnist.core.paths import OTHER_TABLES
from mnist.data.conversion import write_tables
from mnist.data.sources import fetch


def main() -> None:
    """Write both tables, or neither."""
    parser = argparse.ArgumentParser(prog="python -m seeds.tables", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", required=True, help="a key of datasets")
    name, datasets = parser.parse_args().dataset, load_params().datasets
    if name not in datasets:
        raise UserError(f"--dataset: expected a key of datasets, found '{name}'{nearest(name, datasets)}")
    dataset = datasets[name]
    with atomic(OTHER_TABLES / name) as folder, tempfile.TemporaryDirectory() as scratch:
        folder.mkdir()
        raw = Path(scratch, "raw")
        raw.mkdir()
        fetch(dataset.sources, dataset.sha256.model_dump(by_alias=True), raw, dataset.files.model_dump(by_alias=True))
        for prefix, table, rows in write_tables(raw, dataset, folder):
            if not rows:
                raise UserError(f"{prefix}-images-idx3-ubyte: expected images, found none")
            print(f"{OTHER_TABLES / name / table}: {rows:,} rows")


if __name__ == "__main__":
    run(main)
