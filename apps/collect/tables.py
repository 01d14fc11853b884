"""Images that are ready, in tables of pixels: CSV as Kaggle's and this pipeline's, .npz as Keras' and MedMNIST's."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.collect.folders import num_tested
from mnist.core.errors import UserError
from mnist_reader.core.pixels import LARGEST, SMALLEST, Shape
from mnist_reader.tables import ColumnsError, PixelTable, PixelTableError, is_table, read_tables


class Images(NamedTuple):
    """Images that are ready for the model, and their labels."""

    x: np.ndarray  # uint8 (n, rows, columns), 255 = ink
    y: np.ndarray  # uint8 (n,)


class Parts(NamedTuple):
    """The images of both parts, and the names of the classes."""

    classes: list[str]
    train: Images
    test: Images


def find_tables(source: Path) -> dict[str, Path]:
    """The tables that a data set is made of: a file, or a folder's `….csv` whose names have `train` and `test`."""
    if is_table(source):
        return {"train": source}
    files = sorted(source.glob("*.csv")) if source.is_dir() else []
    found = {part: file for part in ("train", "test") for file in files if part in file.stem.lower()}
    return found if "train" in found else {}


def read_parts(tables: dict[str, Path], shape: Shape | None, fraction: float, seed: int) -> Parts:
    """Read tables; where they do not say which images are for testing, choose a fraction of each class.

    Validation images are among those to train on, of which the pipeline holds out its own.

    Raises:
        PixelTableError: a table that is damaged, or has no images.
        UserError: labels are missing, or there are too few of a class.
    """
    path, parts = tables["train"], {}
    for part, file in tables.items():
        for name, images in _read(file, shape).items():
            parts[name or part] = _labelled(file, images.x, images.y)
    if "train" not in parts:
        raise UserError(f"{path}: expected images to train on, found none")
    train = _joined([parts[name] for name in ("train", "val") if name in parts])
    names = np.unique(train.y)
    if len(names) < 2:
        raise UserError(f"{path}: expected labels of at least 2 classes, found {len(names)}")
    train, test = (train, parts["test"]) if "test" in parts else _split(path, train, fraction, seed)
    if alien := np.setdiff1d(test.y, names).tolist():
        raise UserError(f"{tables.get('test', path)}: expected the labels of {path}, found {alien[0]}")
    ordered = [Images(part.x, np.searchsorted(names, part.y).astype(np.uint8)) for part in (train, test)]
    return Parts([str(name) for name in names], *ordered)


def _read(path: Path, shape: Shape | None) -> dict[str, PixelTable]:
    try:
        tables = read_tables(path, shape)
    except ColumnsError as error:
        raise PixelTableError(f"{error}; --shape ROWS COLUMNS says another size") from None
    except OSError as error:
        raise PixelTableError(f"{path}: expected a readable file, found: {error.strerror or error}") from None
    sides = next(iter(tables.values())).x.shape[1:]
    if not all(SMALLEST <= side <= LARGEST for side in sides):
        raise PixelTableError(f"{path}: expected images of {SMALLEST} to {LARGEST} pixels a side, found {sides}")
    return tables


def _labelled(path: Path, x: np.ndarray, y: np.ndarray | None) -> Images:
    if y is None:
        raise UserError(
            f"{path}: expected a label for each image, found none; `python -m apps.predict {path}` reads such a table"
        )
    return Images(x, y)


def _joined(parts: list[Images]) -> Images:
    return Images(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _split(path: Path, images: Images, fraction: float, seed: int) -> tuple[Images, Images]:
    """Images to train on and to test with, each in an order that only the seed decides."""
    rng = np.random.default_rng(seed)
    order, tested = rng.permutation(len(images.y)), np.zeros(len(images.y), bool)
    for label in np.unique(images.y):
        rows = order[images.y[order] == label]
        if len(rows) < 2:
            raise UserError(f"{path}: expected at least 2 images of each class, found 1 of {label}")
        tested[rows[: num_tested(len(rows), fraction)]] = True
    train, test = order[~tested[order]], order[tested[order]]
    return Images(images.x[train], images.y[train]), Images(images.x[test], images.y[test])
