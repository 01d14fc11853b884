"""The task of cluster.predict: read a part of the pictures, write a file of answers."""

import functools
import io
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cluster.pictures import TOGETHER, Part, Picture, pictures_of
from mnist.core.files import atomic
from mnist_reader.command import answer, digit_in, printable
from mnist_reader.picture import PictureError
from mnist_reader.preparation import InputSpec, PreparedPicture
from mnist_reader.reader import Reader

COLUMNS = pa.schema(
    {
        "file": pa.string(),  # of a table: its name and the number of the row
        "digit": pa.string(),
        "confidence": pa.float64(),
        "second": pa.string(),
        "second_confidence": pa.float64(),
        "unsure": pa.bool_(),
        "error": pa.string(),  # why there is no answer
    }
)
WRITERS = {"parquet": pyarrow.parquet.write_table, "csv": pyarrow.csv.write_csv}


def answer_part(part: Part, column: str, model: bytes, accept_all: bool, target: str) -> tuple[int, int]:
    """Answer the pictures of a part in one file, which is whole or not there.

    Args:
        column: of a table, where the pictures' bytes are.
        model: the content of an exported ONNX file.
        target: the file; the end of its name says which kind.

    Returns:
        How many pictures, and how many of them could not be read.
    """
    rows = list(_rows(pictures_of(part, column), _reader(model, accept_all)))
    content = io.BytesIO()
    WRITERS[target.rpartition(".")[2]](pa.Table.from_pylist(rows, COLUMNS), content)
    system, path = fsspec.core.url_to_fs(target)
    if system.protocol[0] == "file":
        with atomic(Path(path)) as scratch:
            scratch.write_bytes(content.getvalue())
    else:
        system.pipe_file(path, content.getvalue())
    return len(rows), sum("error" in row for row in rows)


@functools.cache
def _reader(model: bytes, accept_all: bool) -> Reader:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(model)
        return Reader(path, accept_all)


def _rows(pictures: Iterable[Picture], reader: Reader) -> Iterator[dict[str, Any]]:
    pictures = iter(pictures)
    while chunk := list(islice(pictures, TOGETHER)):
        seen = [(_storable(name), _look(name, content, reader.input_spec)) for name, content in chunk]
        readings = iter(reader.classify([found for _, found in seen if not isinstance(found, str)]))
        for name, found in seen:
            yield {"file": name, "error": found} if isinstance(found, str) else answer(name, next(readings))._asdict()


def _storable(name: str) -> str:
    """A name in which bytes that are not UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _look(name: str, content: bytes | Exception, spec: InputSpec) -> PreparedPicture | str:
    """What the model is to see, or why there is nothing."""
    name = printable(name)
    if isinstance(content, Exception):
        return f"{name}: expected a readable file, found: {getattr(content, 'strerror', None) or content}"
    try:
        return digit_in(content, name, spec)
    except PictureError as error:
        return str(error)
