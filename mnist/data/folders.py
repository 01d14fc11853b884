"""A folder that holds a folder of pictures for each class → files with labels, and which of them are for testing."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.errors import PipelineError


class FolderError(PipelineError):
    """The folder is not laid out as expected."""


class Listing(NamedTuple):
    """Files and labels of both parts, each in an order that only the seed and the names decide."""

    classes: list[str]
    train: list[tuple[Path, int]]
    test: list[tuple[Path, int]]


def listed(folder: Path, fraction: float, seed: int) -> Listing:
    """List `folder/class/…`, or `folder/train/class/…` and `folder/test/class/…` where there are such folders.

    Args:
        fraction: of each class' files, for testing, where the folder does not say which; rounded, but one at least.

    Raises:
        FolderError: no such folder, fewer than two classes, one with fewer than two files (in `test` it may have none),
            or one that is only in `test`.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: expected a folder of pictures, found none")
    rng = np.random.default_rng(seed)
    given = (folder / "train").is_dir() and (folder / "test").is_dir()
    classes = _classes(folder / "train" if given else folder)
    if given:
        if alien := [name for name in _classes(folder / "test", least=1) if name not in classes]:
            raise FolderError(f"{folder / 'test' / alien[0]}: expected a class of {folder / 'train'}, found another")
        train, test = (
            [(file, label) for label, name in enumerate(classes) for file in _files(folder / part / name, part)]
            for part in ("train", "test")
        )
    else:
        train, test = [], []
        for label, name in enumerate(classes):
            files = [(file, label) for file in _shuffled(_files(folder / name), rng)]
            count = max(1, round(fraction * len(files)))
            test += files[:count]
            train += files[count:]
    return Listing(classes, _shuffled(train, rng), _shuffled(test, rng))


def _classes(folder: Path, least: int = 2) -> list[str]:
    """Names of the folders in a folder: numbers in their order, then names in theirs."""
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if len(names) < least:
        raise FolderError(f"{folder}: expected a folder for each of at least {least} classes, found {len(names)}")
    return sorted(
        names, key=lambda name: [(len(part), part) if part.isdecimal() else (99, part) for part in _parts(name)]
    )


def _parts(name: str) -> list[str]:
    return re.findall(r"\d+|\D+", name)


def _files(folder: Path, part: str = "train") -> list[Path]:
    """Every file below a class' folder, by name; only in the test part there may be none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if len(files) < (2 if part == "train" else 0):
        raise FolderError(f"{folder}: expected at least two pictures, found {len(files)}")
    return files


def _shuffled(items: list, rng: np.random.Generator) -> list:  # type: ignore[type-arg]
    return [items[at] for at in rng.permutation(len(items))]
