"""Download stage: fetch the four IDX files of the data set.

Reads:  param `dataset`; datasets/
Writes: data/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte
Run:    python -m stages.download
"""

if not __package__:
    raise SystemExit("error: expected `python -m stages.download` in the project's folder, found a file that was run")

from mnist.core.errors import run_stage
from mnist.core.files import atomic
from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import RAW
from mnist.data.sources import fetch
from stages import inputs_of


def main() -> None:
    """Fill data/raw with files whose SHA-256 is the one in the data set's file."""
    inputs = inputs_of("download")
    dataset = load_dataset(load_recipe().dataset)
    with atomic(RAW) as folder:
        folder.mkdir()
        fetch(dataset.sources, dataset.digests, folder)
        inputs.check()


if __name__ == "__main__":
    run_stage(main)
