"""Files that are whole or not there: write beside, flush to the disk, then rename."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a scratch path of the same file name; move what was written there to `path` on success.

    Works for a file or a folder. On an error `path` is left as it was and the scratch is removed; that of a process
    that was killed is removed by the next call. What was moved outlasts a power failure. If several processes write to
    `path` at once, the last one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with locked(path.parent):  # until the new scratch is locked, so that nobody takes it for abandoned
            for abandoned in path.parent.glob(f".{path.name}.*"):
                _remove_if_abandoned(abandoned)
            folder = Path(stack.enter_context(_scratch_folder(path)))
            stack.enter_context(locked(folder))
        scratch = folder / path.name
        with _named(path):
            yield scratch
            scratch.stat()  # raises where nothing was written
            for part in [*scratch.rglob("*"), scratch]:
                _flush(part)
        with locked(path.parent):  # since a folder is replaced in two steps
            _replace(path, scratch)
            _flush(path.parent)


def _replace(path: Path, scratch: Path) -> None:
    old = path.replace(scratch.with_name("replaced")) if path.is_dir() else None
    try:
        scratch.replace(path)
    except BaseException:
        if old:
            old.replace(path)
        raise


def _scratch_folder(path: Path) -> tempfile.TemporaryDirectory[str]:
    with _named(path, always=True):
        return tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")


@contextmanager
def _named(path: Path, always: bool = False) -> Iterator[None]:
    """Let an error of the operating system name `path`, which the user knows, where it names no file or `always`."""
    try:
        yield
    except OSError as error:
        if always or error.filename is None:
            error.filename = str(path)
        raise


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), locked(folder, wait=False):
        shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Lock a folder until the context, or the process, ends. It does nothing on Windows.

    Raises:
        BlockingIOError: another process has locked it, and one shall not wait.
    """
    if sys.platform == "win32":  # which opens no folder
        yield
        return
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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
