"""Download stage: fetch the four IDX files of the chosen data set.

Reads:  params `dataset`, `datasets`
Writes: data/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte
Run:    python -m stages.download
"""

from mnist.core.errors import run_stage
from mnist.core.files import atomic
from mnist.core.params import load_params
from mnist.core.paths import RAW
from mnist.data.sources import fetch


def main() -> None:
    """Fill data/raw with files whose SHA-256 is the one in params.yaml."""
    dataset = load_params().chosen_dataset
    with atomic(RAW) as folder:
        folder.mkdir()
        names = dataset.files.model_dump(by_alias=True)
        fetch(dataset.sources, dataset.sha256.model_dump(by_alias=True), folder, names)


if __name__ == "__main__":
    run_stage(main)
