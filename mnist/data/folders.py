"""A folder that holds a folder of pictures for each class → files with labels, and which of them are for testing."""

import os
import re
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mnist.core.errors import UserError

T = TypeVar("T")
PARTS = {"train", "test", "val", "valid", "validation", "training", "testing"}  # no names of classes


class FolderError(UserError):
    """The folder is not laid out as expected."""


class Listing(NamedTuple):
    """Files and labels of both parts, each in an order that only the seed and the names decide."""

    classes: list[str]
    train: list[tuple[Path, int]]
    test: list[tuple[Path, int]]


def listed(folder: Path, fraction: float, seed: int) -> Listing:
    """List `folder/class/…`, or `folder/train/class/…` and `folder/test/class/…` where there are such folders.

    Args:
        fraction: of each class' files, for testing, where the folder does not say which; rounded, but at least one is
            for testing and one to train on.

    Raises:
        FolderError: no such folder, fewer than two classes, one with fewer than two files (in `test` it may have none),
            or one that is only in `test`.
        OSError: a folder that must not be read.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: expected a folder of pictures, found none")
    rng, names = np.random.default_rng(seed), _folders(folder)
    train, test = [], []
    if {"train", "test"} <= set(names):
        classes = _classes(folder / "train")
        if alien := [name for name in _folders(folder / "test") if name not in classes]:
            raise FolderError(f"{folder / 'test' / alien[0]}: expected a class of {folder / 'train'}, found another")
        for label, name in enumerate(classes):
            train += [(file, label) for file in _files(folder / "train" / name, least=2)]
            test += [(file, label) for file in _files(folder / "test" / name, least=0)]
    elif parts := [name for name in names if name.lower() in PARTS]:
        found = ", ".join(parts)
        raise FolderError(f"{folder}: expected train and test, or a folder for each class; found {found}")
    else:
        classes = _classes(folder)
        for label, name in enumerate(classes):
            files = [(file, label) for file in _shuffled(_files(folder / name, least=2), rng)]
            count = min(max(1, round(fraction * len(files))), len(files) - 1)
            test += files[:count]
            train += files[count:]
    return Listing(classes, _shuffled(train, rng), _shuffled(test, rng))


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _classes(folder: Path) -> list[str]:
    """Names of the folders in a folder: numbers in their order, then names in theirs."""
    names = _folders(folder)
    if len(names) < 2:
        raise FolderError(f"{folder}: expected a folder for each of at least 2 classes, found {len(names)}")
    if strange := [name for name in names if not name.isprintable()]:
        raise FolderError(f"{folder}: expected names of folders that can be printed, found {strange[0]!a}")
    return sorted(names, key=lambda name: [(len(part) if part.isdecimal() else 99, part) for part in _runs(name)])


def _runs(name: str) -> list[str]:
    """A name in parts, each all digits or without any."""
    return re.findall(r"\d+|\D+", name)


def _files(folder: Path, least: int) -> list[Path]:
    """Every file below a class' folder, by name, but for hidden ones."""
    files: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_raise if least else None):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if not name.startswith(".")]
    if len(files) < least:
        raise FolderError(f"{folder}: expected at least {least} pictures, found {len(files)}")
    return sorted(files)


def _raise(error: OSError) -> None:
    raise error


def _shuffled(items: list[T], rng: np.random.Generator) -> list[T]:
    return [items[at] for at in rng.permutation(len(items))]
