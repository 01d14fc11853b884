"""What a folder of the user's holds: pictures in a folder for each class, or four IDX files."""

import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import RawFiles
from mnist.data.archives import unpack
from mnist.data.idx import IdxError, read_header, read_idx, read_pairs
from mnist_reader.core.pixels import LARGEST, SMALLEST, Shape

T = TypeVar("T")
Files = list[tuple[Path, int]]  # with the label of each
MOST = 256  # classes; a label is a byte
SPLITS = {"train", "test", "val", "valid", "validation", "training", "testing"}  # no names of classes
IDX_FILES = [str(field.alias) for field in RawFiles.model_fields.values()]


class FolderError(UserError):
    """The folder is not laid out as expected."""


class PictureFiles(NamedTuple):
    """Files and labels of both parts, each in an order that only the seed and the names decide."""

    classes: list[str]
    train: Files
    test: Files


def list_pictures(folder: Path, fraction: float, seed: int) -> PictureFiles:
    """List `folder/class/…`, or `folder/train/class/…` and `folder/test/class/…` where there are such folders.

    Args:
        fraction: of each class' files, for testing, where the folder does not say which; rounded, but at least one is
            for testing and one to train on.

    Raises:
        FolderError: no such folder, fewer than two classes or more than MOST, one with fewer than two files (in `test`
            it may have none), or one that is only in `test`.
        OSError: a folder that must not be read.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: expected a folder of pictures, found none")
    rng, names = np.random.default_rng(seed), _folders(folder)
    is_split = {"train", "test"} <= set(names)
    if not is_split and (splits := [name for name in names if name.lower() in SPLITS]):
        raise FolderError(f"{folder}: expected train and test, or a folder for each class; found {', '.join(splits)}")
    classes = _classes(folder / "train" if is_split else folder)
    train, test = _given_split(folder, classes) if is_split else _random_split(folder, classes, fraction, rng)
    return PictureFiles(classes, _shuffled(train, rng), _shuffled(test, rng))


def _given_split(folder: Path, classes: list[str]) -> tuple[Files, Files]:
    if alien := [name for name in _folders(folder / "test") if name not in classes]:
        raise FolderError(f"{folder / 'test' / alien[0]}: expected a class of {folder / 'train'}, found another")
    train, test = (
        [(file, label) for label, name in enumerate(classes) for file in _files(folder / part / name, least)]
        for part, least in (("train", 2), ("test", 0))
    )
    return train, test


def _random_split(folder: Path, classes: list[str], fraction: float, rng: np.random.Generator) -> tuple[Files, Files]:
    train, test = [], []
    for label, name in enumerate(classes):
        files = [(file, label) for file in _shuffled(_files(folder / name, least=2), rng)]
        count = min(max(1, round(fraction * len(files))), len(files) - 1)
        test += files[:count]
        train += files[count:]
    return train, test


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _classes(folder: Path) -> list[str]:
    """Names of the folders in a folder: numbers in their order, then names in theirs."""
    names = _folders(folder)
    if len(names) < 2:
        raise FolderError(f"{folder}: expected a folder for each of at least 2 classes, found {len(names)}")
    if len(names) > MOST:
        raise FolderError(f"{folder}: expected at most {MOST} classes, found {len(names)}")
    if strange := [name for name in names if not name.isprintable()]:
        raise FolderError(f"{folder}: expected names of folders that can be printed, found {strange[0]!a}")
    return sorted(names, key=_with_numbers)


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """A key that sorts 9 before 10, and digits before other characters."""
    return [(len(part) if part.isdecimal() else 99, part) for part in re.findall(r"\d+|\D+", name)]


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


class IdxFolder(NamedTuple):
    """What four IDX files hold."""

    classes: list[str]  # `0`, `1`, …
    shape: Shape
    digests: dict[str, str]  # SHA-256 by the name of the file
    num_training: int  # images to train on


def holds_idx(folder: Path) -> bool:
    """Whether a file in the folder has the name of one of the four."""
    return any((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in IDX_FILES)


def read_idx_folder(folder: Path) -> IdxFolder:
    """Read and check four IDX files, which may be packed.

    Raises:
        SourceError, IdxError: one is missing, damaged or empty, they do not belong together, or the pipeline does not
            take such images or labels.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: _plain(folder, name, Path(scratch)) for name in IDX_FILES}
        labels, shape = _labels(files, folder), _shape(files, folder)
        classes = int(labels.max(initial=0)) + 1
        if classes < 2:
            raise IdxError(f"{folder}: expected labels of at least 2 classes, found {classes}")
        if missing := set(range(classes)) - set(labels.tolist()):
            raise IdxError(f"{folder}: expected images to train on with every label, found none of {min(missing)}")
        for part in ("train", "t10k"):
            pair = files[f"{part}-images-idx3-ubyte"], files[f"{part}-labels-idx1-ubyte"]
            if not sum(len(y) for _, y in read_pairs(*pair, classes, shape, 10_000)):  # it checks them, too
                raise IdxError(f"{folder / f'{part}-images-idx3-ubyte'}: expected images, found none")
        digests = {name: sha256(path) for name, path in files.items()}
        return IdxFolder([str(label) for label in range(classes)], shape, digests, len(labels))


def _labels(files: dict[str, Path], folder: Path) -> np.ndarray:
    name = "train-labels-idx1-ubyte"
    with files[name].open("rb") as file:
        labels = read_idx(file, str(folder / name))
    if labels.ndim != 1:
        raise IdxError(f"{folder / name}: expected labels, in 1 dimension, found {labels.ndim} dimensions")
    return labels


def _shape(files: dict[str, Path], folder: Path) -> Shape:
    name = "train-images-idx3-ubyte"
    with files[name].open("rb") as file:
        _, *shape = read_header(file, str(folder / name))
    if len(shape) != 2 or not all(SMALLEST <= side <= LARGEST for side in shape):
        raise IdxError(f"{folder / name}: expected images of {SMALLEST} to {LARGEST} pixels a side, found {shape}")
    return shape[0], shape[1]


def _plain(folder: Path, name: str, scratch: Path) -> Path:
    """The file, unpacked into `scratch` where it is packed."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain
    if not packed.is_file():
        raise IdxError(f"{folder}: expected {name} or {packed.name}, found neither")
    unpack(packed, scratch / name)
    return scratch / name
