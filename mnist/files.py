"""Files that are whole or not there: write beside, then rename."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a scratch path of the same file name; move what was written there to `path` on success.

    Works for a file or a folder. On an error `path` is left as it was and the scratch is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
        shutil.rmtree(abandoned)
    with _scratch_folder(path) as folder:
        scratch = Path(folder, path.name)
        yield scratch
        scratch.stat()  # raises where nothing was written
        old = path.replace(Path(folder, "replaced")) if path.is_dir() else None
        try:
            scratch.replace(path)
        except BaseException:
            if old:
                old.replace(path)
            raise


def _scratch_folder(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A new folder beside `path`; an error names `path`, which the user knows."""
    try:
        return tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)
        raise


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
