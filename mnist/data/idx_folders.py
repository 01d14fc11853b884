"""A folder of four IDX files with MNIST's names → what params.yaml says of them."""

import tempfile
from pathlib import Path

from mnist.data.archives import unpack
from mnist.data.idx import IdxError, read_idx, read_pairs
from mnist.files import sha256
from mnist.pixels import SIDE
from mnist.sections import RawFiles

FILES = [str(field.alias) for field in RawFiles.model_fields.values()]


def described(folder: Path) -> tuple[list[str], dict[str, str], int]:
    """The classes `0`, `1`, … and the SHA-256 of four IDX files, which may be packed; how many images are to train on.

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
        for part in ("train", "t10k"):
            pair = files[f"{part}-images-idx3-ubyte"], files[f"{part}-labels-idx1-ubyte"]
            for _ in read_pairs(*pair, classes, (SIDE, SIDE), 10_000):
                pass  # it checks them
        return (
            [str(label) for label in range(classes)],
            {name: sha256(path) for name, path in files.items()},
            len(labels),
        )


def _plain(folder: Path, name: str, scratch: Path) -> Path:
    """The file, unpacked into `scratch` where it is packed."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain
    if not packed.is_file():
        raise IdxError(f"{folder}: expected {name} or {packed.name}, found neither")
    unpack(packed, scratch / name)
    return scratch / name
