"""A folder of four IDX files with MNIST's names → what params.yaml says of them."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from mnist.data.archives import unpack
from mnist.data.idx import IdxError, read_header, read_idx, read_pairs
from mnist.files import sha256
from mnist.pixels import Shape
from mnist.sections import RawFiles

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
        SourceError, IdxError: one is missing or damaged, or they do not belong together.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: _plain(folder, name, Path(scratch)) for name in FILES}
        with files["train-labels-idx1-ubyte"].open("rb") as file:
            labels = read_idx(file, str(folder / "train-labels-idx1-ubyte"))
        classes = int(labels.max(initial=0)) + 1
        if missing := set(range(classes)) - set(labels.tolist()):
            raise IdxError(f"{folder}: expected images to train on with every label, found none of {min(missing)}")
        with files["train-images-idx3-ubyte"].open("rb") as file:
            _, rows, columns = (*read_header(file, str(folder / "train-images-idx3-ubyte")), 0, 0)[:3]
        for part in ("train", "t10k"):
            pair = files[f"{part}-images-idx3-ubyte"], files[f"{part}-labels-idx1-ubyte"]
            for _ in read_pairs(*pair, classes, (rows, columns), 10_000):
                pass  # it checks them
        digests = {name: sha256(path) for name, path in files.items()}
        return Description([str(label) for label in range(classes)], (rows, columns), digests, len(labels))


def _plain(folder: Path, name: str, scratch: Path) -> Path:
    """The file, unpacked into `scratch` where it is packed."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain
    if not packed.is_file():
        raise IdxError(f"{folder}: expected {name} or {packed.name}, found neither")
    unpack(packed, scratch / name)
    return scratch / name
