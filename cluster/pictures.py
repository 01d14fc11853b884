"""Pictures in folders, archives and tables, here or in a bucket, in parts of equal size."""

import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, NamedTuple, cast

import fsspec
import pyarrow.parquet as pq
from fsspec.core import has_magic

from cluster.engine import ClusterError

PART = 1000  # pictures that are one task and one file of the result
TOGETHER = 64  # pictures that are fetched and classified together; what a task holds in memory
Picture = tuple[str, bytes | Exception]  # its name, and its content or why there is none


class Part(NamedTuple):
    """Some pictures of a source."""

    source: str  # archive, table, or the place of `names`
    kind: str  # tar, zip, parquet or files
    start: int  # of the first: its place in the archive (of a tar: in bytes), or the row group
    pictures: int
    names: tuple[str, ...] = ()  # of files


def parts_of(source: str) -> list[Part]:
    """The parts of a folder, a file, or all that a pattern such as `s3://bucket/*.tar` matches.

    Files whose names end in .tar, .zip or .parquet are read as what they are, all others as pictures.

    Raises:
        ClusterError: nothing is there, or an archive or a table is damaged.
    """
    system, path = fsspec.core.url_to_fs(source)
    found = sorted(_matching(system, path) if has_magic(path) else system.find(path))
    if not found:
        raise ClusterError(f"{source}: expected pictures, found nothing")
    parts, loose = [], []
    for name in found:
        address = name if system.protocol[0] == "file" else system.unstrip_protocol(name)
        if cut := CUTS.get(name.rpartition(".")[2]):
            try:
                with system.open(name) as file:
                    parts += list(cut(address, file))
            except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
                raise ClusterError(f"{address}: expected a whole archive or table: {error}") from None
        else:
            loose.append(address)
    chunks = [tuple(loose[start : start + PART]) for start in range(0, len(loose), PART)]
    return parts + [Part(source, "files", index, len(names), names) for index, names in enumerate(chunks)]


def _matching(system: fsspec.AbstractFileSystem, pattern: str) -> Iterator[str]:
    """The files that a pattern matches, and those in the folders that it matches."""
    for name, about in system.glob(pattern, detail=True).items():
        yield from system.find(name) if about["type"] == "directory" else [name]


def _cut_tar(address: str, file: IO[bytes]) -> Iterator[Part]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        members = (member.offset for member in archive if member.isfile())
        while chunk := list(islice(members, PART)):
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all that it has seen
            yield Part(address, "tar", chunk[0], len(chunk))


def _cut_zip(address: str, file: IO[bytes]) -> Iterator[Part]:
    with zipfile.ZipFile(file) as archive:
        count = sum(not info.is_dir() for info in archive.infolist())
    return (Part(address, "zip", start, min(PART, count - start)) for start in range(0, count, PART))


def _cut_parquet(address: str, file: IO[bytes]) -> Iterator[Part]:
    with pq.ParquetFile(file) as table:
        groups = [table.metadata.row_group(index).num_rows for index in range(table.num_row_groups)]
    return (Part(address, "parquet", index, rows) for index, rows in enumerate(groups))


CUTS = {"tar": _cut_tar, "zip": _cut_zip, "parquet": _cut_parquet}


def pictures_of(part: Part, column: str) -> Iterator[Picture]:
    """The pictures of a part in order. `column` is that of a table which holds their bytes."""
    if part.kind == "files":
        system, _ = fsspec.core.url_to_fs(part.source)
        for start in range(0, part.pictures, TOGETHER):
            names = part.names[start : start + TOGETHER]
            contents = system.cat(list(names), on_error="return")
            yield from ((name, contents[system._strip_protocol(name)]) for name in names)
        return
    with fsspec.open(part.source) as file:
        yield from READS[part.kind](part, cast(Any, file), column)


def _read_tar(part: Part, file: IO[bytes], _: str) -> Iterator[Picture]:
    file.seek(part.start)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in islice((member for member in archive if member.isfile()), part.pictures):
            yield member.name, archive.extractfile(member).read()  # type: ignore[union-attr]


def _read_zip(part: Part, file: IO[bytes], _: str) -> Iterator[Picture]:
    with zipfile.ZipFile(file) as archive:
        files = (info for info in archive.infolist() if not info.is_dir())
        for info in islice(files, part.start, part.start + part.pictures):
            try:
                yield info.filename, archive.read(info)
            except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
                yield info.filename, error


def _read_parquet(part: Part, file: IO[bytes], column: str) -> Iterator[Picture]:
    with pq.ParquetFile(file) as table:
        if column not in table.schema_arrow.names:
            names = ", ".join(table.schema_arrow.names)
            raise ClusterError(f"{part.source}: expected a column '{column}', found {names}; --column names another")
        before = sum(table.metadata.row_group(index).num_rows for index in range(part.start))
        batches = table.iter_batches(TOGETHER, row_groups=[part.start], columns=[column])
        contents = (value for batch in batches for value in batch.column(0).to_pylist())
        yield from ((f"{part.source}:{row}", content or b"") for row, content in enumerate(contents, before))


READS = {"tar": _read_tar, "zip": _read_zip, "parquet": _read_parquet}
