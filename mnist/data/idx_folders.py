"""A folder of four IDX files with MNIST's names → what params.yaml says of them."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.core.files import sha256
from mnist.core.sections import RawFiles
from mnist.data.archives import unpack
from mnist.data.idx import IdxError, read_header, read_idx, read_pairs
from mnist_reader.core.pixels import LARGEST, SMALLEST, Shape

FILES = [str(field.alias) for field in RawFiles.model_fields.values()]


class Description(NamedTuple):
    """What four IDX files are."""

    classes: list[str]  # `0`, `1`, …
    shape: Shape
    digests: dict[str, str]  # SHA-256 by file name
    num_training: int  # images to train on


def described(folder: Path) -> Description:
    """Read and check four IDX files, which may be packed.

    Raises:
        SourceError, IdxError: one is missing, damaged or empty, they do not belong together, or the pipeline does not
            take such images or labels.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: _plain(folder, name, Path(scratch)) for name in FILES}
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
        return Description([str(label) for label in range(classes)], shape, digests, len(labels))


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
