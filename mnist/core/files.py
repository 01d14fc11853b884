"""Files that are whole or not there: write beside, flush to the disk, then rename."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mnist.core.errors import UserError

if sys.platform != "win32":
    import fcntl


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a scratch path of the same file name; move what was written there to `path` on success.

    Works for a file or a folder. On an error `path` is left as it was and the scratch is removed; that of a process
    that was killed is removed by the next call. What was moved outlasts a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for scratch in path.parent.glob(f".{path.name}.*"):
        _remove_if_abandoned(scratch)
    with _scratch_folder(path) as folder, _in_use(Path(folder)):
        scratch = Path(folder, path.name)
        yield scratch
        scratch.stat()  # raises where nothing was written
        for part in [*scratch.rglob("*"), scratch]:
            _flush(part)
        old = path.replace(Path(folder, "replaced")) if path.is_dir() else None
        try:
            scratch.replace(path)
        except BaseException:
            if old:
                old.replace(path)
            raise
        _flush(path.parent)


def _scratch_folder(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A new folder beside `path`; an error names `path`, which the user knows."""
    try:
        return tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)
        raise


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), _in_use(folder):
        shutil.rmtree(folder)


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Lock a scratch folder until the context, or the process, ends.

    Raises:
        BlockingIOError: another process has locked it.
    """
    if sys.platform == "win32":  # which opens no folder
        yield
        return
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _flush(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk."""
    if sys.platform != "win32":
        with _opened(path) as descriptor:
            os.fsync(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class NoRoomError(UserError):
    """The disk is too full for what is to be written."""


def require_room(folder: Path, size: int) -> None:
    """Raise NoRoomError where less than `size` bytes are free: on a full disk HDF5 ends the process (h5py 3.14)."""
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < size:
        raise NoRoomError(f"{folder}: expected {size / 1e6:.1f} MB free on the disk, found {free / 1e6:.1f} MB")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a final line end."""
    with atomic(path) as scratch:
        scratch.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file that another stage wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())


def write_table(path: Path, rows: Iterable[Any], columns: Sequence[str]) -> None:
    """Write named tuples or mappings as CSV with a heading; a missing value stays empty."""
    import pandas as pd  # takes a while, and few programs write tables

    with atomic(path) as scratch:
        pd.DataFrame(list(rows), columns=list(columns)).to_csv(scratch, index=False, lineterminator="\n")
