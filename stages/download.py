"""Download stage: fetch the four IDX files of the chosen data set.

Reads:  params `dataset`, `datasets`
Writes: data/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte
Run:    python -m stages.download
"""

from pathlib import Path

from stages.lib.errors import run
from stages.lib.files import atomic
from stages.lib.params import load_params
from stages.lib.sources import fetch


def main() -> None:
    """Fill data/raw with files whose SHA-256 is the one in params.yaml."""
    dataset = load_params().chosen_dataset
    with atomic(Path("data/raw")) as folder:
        folder.mkdir()
        fetch(dataset.sources, dataset.sha256.model_dump(by_alias=True), folder)


if __name__ == "__main__":
    run(main)
