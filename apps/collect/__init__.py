"""Make a data set of your own pictures: four IDX files in data/NAME/, and datasets/NAME.yaml.

Run: python -m apps.collect pictures/ NAME --as digits

`pictures/` holds a folder for each class, or `train/` and `test/` that each hold such folders. Or it holds four IDX
files with MNIST's names (also .gz), which stay where they are. params.yaml then names the data set, and `dvc repro`
trains on it.
"""

from mnist_reader.core.errors import require


def main() -> None:
    """Make the data set that the command line describes."""
    require("apps.collect", "requirements.txt", "numpy", "PIL", "pydantic", "ruamel", "tqdm")
    from apps.collect.command import collect, parse

    collect(parse())
