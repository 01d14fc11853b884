"""Pictures in folders, archives and tables, here or in a bucket, in parts of equal size."""

import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import fsspec
import pyarrow.parquet as pq

from cluster.engine import ClusterError

PART = 1000  # pictures that are one task and one file of answers; of a table, it is a row group
TOGETHER = 64  # pictures that are fetched and classified together
Picture = tuple[str, bytes | Exception]  # its name, and its content or why there is none


class Part(NamedTuple):
    """Some pictures of a source."""

    source: str  # of a table, its address; else that of the file system that has `names`
    start: int  # the row group of a table
    pictures: int
    names: tuple[str, ...] = ()


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path there."""
    try:
        return fsspec.core.url_to_fs(address)
    except (ImportError, OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ClusterError(f"{address.rpartition('::')[2]}: expected a place that can be read: {error}") from None


def parts_of(source: str) -> list[Part]:
    """The parts of a folder, a file, or all that a pattern such as `s3://bucket/*.tar` matches.

    Files whose names end in .tar, .zip or .parquet are read as what they are, all others as pictures.
    """
    system, path = file_system(source)
    found: set[str] = set()
    for name, about in system.glob(path, detail=True).items():
        found.update(system.find(name) if about["type"] == "directory" else [name])
    if not found:
        raise ClusterError(f"{source}: expected pictures, found nothing")
    parts, loose = [], []
    for address in sorted(found if system.protocol[0] == "file" else map(system.unstrip_protocol, found)):
        match address.rpartition(".")[2]:
            case "parquet":
                parts += _row_groups(address)
            case "tar" | "zip" as kind:
                archive, _ = file_system(f"{kind}://::{address}")
                parts += _chunks(f"{kind}://::{address}", archive.find(""))
            case _:
                loose.append(address)
    return parts + _chunks(source, loose)


def _chunks(source: str, names: list[str]) -> list[Part]:
    chunks = [tuple(names[start : start + PART]) for start in range(0, len(names), PART)]
    return [Part(source, index, len(chunk), chunk) for index, chunk in enumerate(chunks)]


def _row_groups(address: str) -> list[Part]:
    try:
        with fsspec.open(address) as file:
            table = pq.read_metadata(file)
    except (OSError, ValueError) as error:
        raise ClusterError(f"{address}: expected a whole table: {error}") from None
    return [Part(address, index, table.row_group(index).num_rows) for index in range(table.num_row_groups)]


def pictures_of(part: Part, column: str) -> Iterator[list[Picture]]:
    """The pictures of a part, TOGETHER at a time. `column` is that of a table which holds their bytes."""
    if part.names:
        (system, _), names = file_system(part.source), iter(part.names)
        while some := list(islice(names, TOGETHER)):
            yield list(zip(some, system.cat_ranges(some, None, None), strict=True))
        return
    with fsspec.open(part.source) as file, pq.ParquetFile(file) as table:
        columns = [field.name for field in table.schema_arrow if str(field.type) in ("binary", "large_binary")]
        if column not in columns:
            found = ", ".join(columns) or "none"
            raise ClusterError(f"{part.source}: expected bytes in a column '{column}', found {found}; see --column")
        row = sum(table.metadata.row_group(index).num_rows for index in range(part.start))
        for batch in table.iter_batches(TOGETHER, row_groups=[part.start], columns=[column]):
            contents = batch.column(0).to_pylist()
            yield [(f"{part.source}:{row + index}", content or b"") for index, content in enumerate(contents)]
            row += len(contents)
