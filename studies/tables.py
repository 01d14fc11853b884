"""Download and convert a data set that is not the pipeline's.

Reads:  datasets/NAME.yaml
Writes: studies/data/NAME/{train,test}.csv
Run:    python -m studies.tables fashion_mnist
"""

import argparse
import tempfile
from pathlib import Path

from mnist.core.errors import UserError, run
from mnist.core.files import atomic
from mnist.core.params import load_dataset
from mnist.data.conversion import write_tables
from mnist.data.sources import fetch
from studies.paths import TABLES


def main() -> None:
    """Write both tables, or neither."""
    parser = argparse.ArgumentParser(prog="python -m studies.tables", description="Download and convert a data set.")
    parser.add_argument("name")
    name = parser.parse_args().name
    dataset = load_dataset(name)
    with atomic(TABLES / name) as folder, tempfile.TemporaryDirectory() as scratch:
        folder.mkdir()
        raw = Path(scratch, "raw")
        raw.mkdir()
        fetch(dataset.sources, dataset.digests, raw)
        for prefix, table, rows in write_tables(raw, dataset, folder):
            if not rows:
                raise UserError(f"{prefix}-images-idx3-ubyte: expected images, found none")
            print(f"{TABLES / name / table}: {rows:,} rows")


if __name__ == "__main__":
    run(main)
