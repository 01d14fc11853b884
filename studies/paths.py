"""Where the studies keep their files, relative to the project's root, in which their programs run."""

from pathlib import Path

from mnist.core.paths import CHECKPOINTS, TEST_CSV, TRAIN_CSV

RESULTS = Path("studies/results")
TABLES = Path("studies/data")  # of a folder with tables for each data set that is not the pipeline's
STUDIES = CHECKPOINTS / "studies"  # their own checkpoints


def tables_of(dataset: str) -> tuple[Path, Path]:
    """The tables to train and to test on: the pipeline's for mnist, else those of `python -m studies.tables`."""
    if dataset == "mnist":
        return TRAIN_CSV, TEST_CSV
    return TABLES / dataset / TRAIN_CSV.name, TABLES / dataset / TEST_CSV.name
