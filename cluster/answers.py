"""The answers to a part's pictures, read in a process that may end: by a decoder that crashes or takes too long."""

import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa

from cluster.pictures import Content, Part, pictures_of
from mnist.core.errors import UserError, first_line
from mnist_reader import PictureError, Reader
from mnist_reader.command import Answer, answer

if sys.platform != "win32":
    import resource

SECONDS = 60  # of processor time that a picture may take
ENDS = 10  # pictures of a part that may end a process; what is left of it then is not read
MEMORY = 2 * 2**30  # bytes that a picture may take; one of MAX_BYTES and MAX_PIXELS takes less
TYPES = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
COLUMNS = pa.schema({name: TYPES[kind] for name, kind in get_type_hints(Answer).items()} | {"error": pa.string()})
Row = dict[str, Any]  # by the names of COLUMNS
_thread = threading.local()  # `process`: the one that reads for this thread, as long as it lives


def rows_of(part: Part, *settings: Any) -> Iterator[Row]:
    """A row for each picture of a part, in order.

    They are read in a process of their own, since Dask may lose a worker that ends too early. A picture that ends the
    process gets a row that says so.

    Args:
        settings: those of `_read`.

    Raises:
        UserError, OSError: the source cannot be read, whichever picture is asked for.
    """
    done = 0
    for _ in range(ENDS):
        for row in _answered(part, *settings, done):
            yield row
            done += 1
        if done == part.pictures:
            return
        name = part.name(done)
        yield _failure(name, f"{name}: expected a picture, found what takes over {SECONDS} s or ends the reader")
        done += 1
    for name in map(part.name, range(done, part.pictures)):
        yield _failure(name, f"{name}: not read, because {ENDS} pictures before it took too long or ended the reader")


def _answered(*arguments: Any) -> Iterator[Row]:
    """What this thread's process answers, or a new one, before it ends; its errors are raised here."""
    process, _thread.process = getattr(_thread, "process", None) or _process(), None
    if process.poll() is not None:
        process.communicate()
        process = _process()
    assert process.stdin and process.stdout
    try:
        pickle.dump(arguments, process.stdin)
        process.stdin.flush()
        while (row := pickle.load(process.stdout)) is not None:
            if isinstance(row, Exception):
                raise row
            yield row
        _thread.process = process  # for the next part
    except (EOFError, pickle.UnpicklingError, BrokenPipeError):
        return  # it has ended
    finally:
        if _thread.process is None:
            process.kill()
            process.communicate()


def _process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import serve; serve()"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def serve() -> None:
    """In a process of its own: answer what comes on standard input until that ends, row by row on standard output."""
    rows, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints is no row
    with suppress(EOFError, BrokenPipeError):
        while True:
            arguments = pickle.load(sys.stdin.buffer)
            try:
                for row in _read(*arguments):
                    pickle.dump(row, rows)
                    rows.flush()
                pickle.dump(None, rows)
            except (UserError, OSError) as error:
                pickle.dump(error, rows)
            rows.flush()


def _read(part: Part, column: str, model: bytes, accept_all: bool, start: int) -> Iterator[Row]:
    """The rows of a part's pictures, from one of them on. A picture that takes too long ends this process."""
    reader = _reader(model, accept_all)
    _limit_memory()
    for name, content in islice(pictures_of(part, column), start, None):
        with _time_limit():
            row = _row(name, content, reader)
        yield row


def _reader(model: bytes, accept_all: bool) -> Reader:
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, "model.onnx")
        onnx.write_bytes(model)
        return Reader(onnx, accept_all)


def _limit_memory() -> None:
    """Take no more than MEMORY beside what this process has; a page of a table may be packed to a thousandth."""
    status = Path("/proc/self/status")
    if sys.platform == "linux" and (found := re.search(r"^VmData:\s+(\d+) kB", status.read_text(), re.MULTILINE)):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(found[1]) * 1024 + MEMORY, hard))


@contextmanager
def _time_limit() -> Iterator[None]:
    """End the process if this takes too long; a decoder that hangs would not let Python raise anything."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _row(name: str, content: Content, reader: Reader) -> Row:
    """The answer to one picture, or why there is none; `content` may be the reason why it was not fetched."""
    try:
        if isinstance(content, Exception):
            raise PictureError(f"{name}: {first_line(content)}")
        return answer(_text(name), reader.read(content, name))._asdict()
    except PictureError as error:
        return _failure(name, str(error))


def _failure(name: str, error: str) -> Row:
    return {"file": _text(name), "error": _text(error)}


def _text(name: str) -> str:
    """A text that Parquet takes: the name of a file need not be UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
