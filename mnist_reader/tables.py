"""Tables of pixels: CSV as Kaggle's and this pipeline's, and NumPy archives as Keras' and MedMNIST's."""

import math
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist_reader.core.errors import UserError, first_line
from mnist_reader.core.pixels import SHAPE, Shape

SUFFIXES = (".csv", ".npz")
LARGEST = 2**30  # bytes of an archive's arrays
LABELS = ("label", "class", "target")  # headings of a last column that is no pixel, as OpenML's mnist_784 has
GREY = (19595, 38470, 7471)  # of 65536: red, green and blue in grey, as Pillow has them (ITU-R BT.601)
# The names of images and labels in an archive: Keras' mnist.npz, then MedMNIST's.
NAMES = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}
MED_NAMES = {part: (f"{part}_images", f"{part}_labels") for part in ("train", "val", "test")}


class PixelTableError(UserError):
    """A table that holds no images as expected."""


class ColumnsError(PixelTableError):
    """A CSV with another number of columns than an image of this shape has."""


class PixelTable(NamedTuple):
    """Images that are ready for a model, and their labels if the table has them."""

    x: np.ndarray  # uint8 (n, rows, columns), 255 = ink
    y: np.ndarray | None  # uint8 (n,)


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table."""
    return path.suffix.lower() in SUFFIXES


def read_tables(path: Path, shape: Shape | None = None) -> dict[str, PixelTable]:
    """The images of a table by the name of their part: `train`, `val`, `test`; empty where there is one part only.

    A CSV has a row for each image, with the label first if it has one, and may have a heading, which may also say that
    the label comes last. An archive has the names of Keras' mnist.npz or of MedMNIST's files, or holds one array of
    images alone. Colours become grey.

    Args:
        path: a CSV, or an archive.
        shape: rows and columns of an image; without one, an archive's own, and 28×28 for a CSV.

    Raises:
        PixelTableError: the file is damaged, or holds something else.
        OSError: no such file, or one that must not be read.
    """
    if path.suffix.lower() == ".npz":
        return _read_archive(path, shape)
    return {"": _read_csv(path, shape or SHAPE)}


def _read_csv(path: Path, shape: Shape) -> PixelTable:
    pixels = math.prod(shape)
    with path.open("rb") as file:
        cells = file.readline(32 * (pixels + 2)).decode("utf-8-sig", "replace").strip().split(",")
        more = file.read(1)
    if cells == [""]:
        raise PixelTableError(f"{path}: expected a row for each image, found an empty line")
    if len(cells) not in (pixels, pixels + 1):
        size = f"{pixels} columns, for {shape[0]}×{shape[1]} pixels, or {pixels + 1}, with a label before them"
        raise ColumnsError(f"{path}: expected {size}, found {len(cells)}")
    heading = not cells[-1].strip(' "').isdecimal()
    if heading and not more:
        raise PixelTableError(f"{path}: expected a row for each image, found a heading alone")
    try:
        rows = np.loadtxt(
            path,
            np.uint8,
            delimiter=",",
            quotechar='"',
            skiprows=int(heading),
            ndmin=2,
            comments=None,
            encoding="utf-8-sig",
        )
    except (ValueError, OverflowError) as error:
        said = first_line(error).partition("; use")[0]
        raise PixelTableError(f"{path}: expected integers from 0 to 255 in {len(cells)} columns: {said}") from None
    if len(cells) == pixels:
        return PixelTable(rows.reshape(-1, *shape), None)
    last = cells[-1].strip(' "').lower() in LABELS
    labels, images = (rows[:, -1], rows[:, :-1]) if last else (rows[:, 0], rows[:, 1:])
    return PixelTable(images.reshape(-1, *shape), labels)


def _read_archive(path: Path, shape: Shape | None) -> dict[str, PixelTable]:
    arrays = _arrays(path)
    if len(arrays) == 1:
        (images,) = arrays.values()
        return {"": PixelTable(_images(path, images, shape), None)}
    names = MED_NAMES if "train_images" in arrays or "test_images" in arrays else NAMES
    found = {part: pair for part, pair in names.items() if pair[0] in arrays}
    if not found:
        expected = f"{', '.join(sum(NAMES.values(), ()))}, or MedMNIST's names, or one array"
        raise PixelTableError(f"{path}: expected {expected}; found {', '.join(arrays) or 'nothing'}")
    return {part: _part(path, arrays, *pair, shape) for part, pair in found.items()}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive by name; none of Python objects, which could run code."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise PixelTableError(f"{path}: expected arrays of {LARGEST} bytes at most, found more")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (PixelTableError, OSError):
        raise
    except Exception as error:  # zipfile and NumPy raise whatever a damaged file makes of them
        raise PixelTableError(f"{path}: expected a NumPy archive of numbers: {first_line(error)}") from None


def _part(path: Path, arrays: dict[str, np.ndarray], images: str, labels: str, shape: Shape | None) -> PixelTable:
    x, y = _images(path, arrays[images], shape, images), arrays.get(labels)
    if y is None:
        return PixelTable(x, None)
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y  # MedMNIST has a column
    if y.shape != (len(x),) or not _are_bytes(y):
        raise PixelTableError(f"{path}: {labels}: expected {len(x)} labels from 0 to 255, found {_said(y)}")
    return PixelTable(x, y.astype(np.uint8))


def _images(path: Path, x: np.ndarray, shape: Shape | None, name: str = "array") -> np.ndarray:
    if x.ndim == 4 and x.shape[3] in (1, 3) and x.dtype == np.uint8:
        x = (x @ np.array(GREY, np.uint32) >> 16).astype(np.uint8) if x.shape[3] == 3 else x[..., 0]
    size = "rows, columns" if shape is None else f"{shape[0]}, {shape[1]}"
    if x.ndim != 3 or not len(x) or (shape and x.shape[1:] != shape) or not _are_bytes(x):
        raise PixelTableError(f"{path}: {name}: expected integers from 0 to 255 (n, {size}), found {_said(x)}")
    return x.astype(np.uint8)


def _are_bytes(x: np.ndarray) -> bool:
    return bool(np.issubdtype(x.dtype, np.integer) and x.size and x.min() >= 0 and x.max() <= 255)


def _said(x: np.ndarray) -> str:
    return f"{x.dtype} {x.shape}" + (f" from {x.min()} to {x.max()}" if x.size and x.dtype.kind in "iuf" else "")
