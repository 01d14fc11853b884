"""What a folder of the user's holds: pictures with their classes, or four IDX files."""

import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.sections import RawFiles
from mnist.data.archives import find_idx, is_packed, unpack
from mnist.data.idx import IdxError, read_header, read_idx, read_pairs
from mnist_reader.core.pixels import LARGEST, SMALLEST, Shape
from mnist_reader.show import picture_suffixes

T = TypeVar("T")
Files = list[tuple[Path, int]]  # with the label of each
MOST = 256  # classes; a label is a byte
SPLITS = {"train", "test", "val", "valid", "validation", "training", "testing"}  # no names of classes
IDX_FILES = [str(field.alias) for field in RawFiles.model_fields.values()]


class PictureFiles(NamedTuple):
    """Files and labels of both parts, each in an order that only the seed and the names decide."""

    classes: list[str]
    train: Files
    test: Files


def list_pictures(folder: Path, fraction: float, seed: int) -> PictureFiles:
    """List `folder/class/…`, or `folder/train/class/…` and `folder/test/class/…` where there are such folders.

    Where a folder has no folders, the names of its files begin with the class: `7_01.png`, `apple.jpg`.

    Args:
        fraction: of each class' files, for testing, where the folder does not say which; rounded, but at least one is
            for testing and one to train on.

    Raises:
        UserError: no such folder, fewer than two classes or more than MOST, one with fewer than two files (in `test`
            it may have none), or one that is only in `test`.
        OSError: a folder that must not be read.
    """
    if not folder.is_dir():
        found = "another file" if folder.exists() else "none"
        raise UserError(f"{folder}: expected a folder of pictures, a .csv or a .npz, found {found}")
    rng, names = np.random.default_rng(seed), _folders(folder)
    is_split = {"train", "test"} <= set(names)
    if not is_split and (splits := [name for name in names if name.lower() in SPLITS]):
        raise UserError(f"{folder}: expected train and test, or a folder for each class; found {', '.join(splits)}")
    by_class = _by_class(folder / "train" if is_split else folder)
    train, test = _given_split(folder, by_class) if is_split else _random_split(by_class, fraction, rng)
    return PictureFiles(list(by_class), _shuffled(train, rng), _shuffled(test, rng))


def _given_split(folder: Path, by_class: dict[str, list[Path]]) -> tuple[Files, Files]:
    tested = _by_class(folder / "test", least=0)
    if alien := [name for name in tested if name not in by_class]:
        raise UserError(f"{folder / 'test' / alien[0]}: expected a class of {folder / 'train'}, found another")
    train, test = (
        [(file, label) for label, name in enumerate(by_class) for file in part.get(name, [])]
        for part in (by_class, tested)
    )
    return train, test


def _random_split(by_class: dict[str, list[Path]], fraction: float, rng: np.random.Generator) -> tuple[Files, Files]:
    train, test = [], []
    for label, paths in enumerate(by_class.values()):
        files = [(file, label) for file in _shuffled(paths, rng)]
        count = num_tested(len(files), fraction)
        test += files[:count]
        train += files[count:]
    return train, test


def num_tested(count: int, fraction: float) -> int:
    """How many of a class' pictures are for testing: the fraction, but at least one, and one is left to train on."""
    return min(max(1, round(fraction * count)), count - 1)


def _by_class(folder: Path, least: int = 2) -> dict[str, list[Path]]:
    """Every class of a folder, in order, with its files."""
    by_class = {name: _files(folder / name) for name in _folders(folder)} or _by_name(folder)
    if least:
        _check_classes(folder, list(by_class))
    if few := [name for name, files in by_class.items() if len(files) < least]:
        raise UserError(f"{folder}: {few[0]}: expected at least {least} pictures, found {len(by_class[few[0]])}")
    return {name: by_class[name] for name in sorted(by_class, key=_with_numbers)}


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The pictures of a folder by the letters or digits that their names begin with."""
    by_class: dict[str, list[Path]] = {}
    for path in _files(folder):
        if path.suffix.lower() in picture_suffixes():
            by_class.setdefault(re.split(r"[\W_]", path.name)[0], []).append(path)
    return by_class


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _check_classes(folder: Path, names: list[str]) -> None:
    """Raise UserError where there are too few or too many classes, or a name cannot be printed."""
    if len(names) < 2:
        named = "or pictures whose names begin with the class, such as 7_01.png"
        found = ", ".join(names) or "neither"
        raise UserError(f"{folder}: expected a folder for each of at least 2 classes, {named}; found {found}")
    if len(names) > MOST:
        raise UserError(f"{folder}: expected at most {MOST} classes, found {len(names)}")
    if strange := [name for name in names if not name.isprintable()]:
        raise UserError(f"{folder}: expected names of folders that can be printed, found {strange[0]!a}")


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """A key that sorts 9 before 10, and digits before other characters."""
    return [(len(part) if part.isdecimal() else 99, part) for part in re.findall(r"\d+|\D+", name)]


def _files(folder: Path) -> list[Path]:
    """Every file below a folder, by name, but for hidden ones."""
    files: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if not name.startswith(".")]
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
    return any(find_idx(folder, name) for name in IDX_FILES)


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
    path = find_idx(folder, name)
    if path is None:
        raise IdxError(f"{folder}: expected {name} or {name}.gz, found neither")
    if not is_packed(path):
        return path
    unpack(path, scratch / name)
    return scratch / name
