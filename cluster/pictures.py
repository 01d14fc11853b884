"""Pictures in folders, archives and tables, here or in a bucket, in parts of equal size."""

import io
import os
import zipfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from mnist.core.errors import UserError, first_line
from mnist_reader.picture import MAX_BYTES

PART = 1000  # pictures that are one task and one file of answers; of a table, it is a row group
TOGETHER = 64  # pictures that are fetched from a bucket at once, or fewer that have MAX_BYTES together
BUFFER = 2**20  # bytes of a table's column that are read at once
Content = Path | BinaryIO | Exception  # of a picture, or why there is none


class Part(NamedTuple):
    """Some pictures of a source."""

    source: str  # of a table, its address; else that of the file system that has `names`
    start: int  # the row group of a table
    pictures: int
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()  # of the files with these names, in bytes, where they are in a bucket
    row: int = 0  # the first one of the row group

    def name(self, index: int) -> str:
        """The name of one of the pictures."""
        return self.names[index] if self.names else f"{self.source}:{self.row + index}"


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path there.

    Raises:
        UserError: there is none, or it is a damaged archive.
    """
    try:
        return fsspec.core.url_to_fs(address)
    except Exception as error:  # the file systems' own
        place = address.rpartition("::")[2]
        raise UserError(f"{place}: expected a place that can be read: {first_line(error)}") from None


def is_local(system: Any) -> bool:
    """Whether a file system is this machine's."""
    return system.protocol[0] == "file"


def parts_of(source: str) -> list[Part]:
    """The parts of a folder, a file, or all that a pattern such as `s3://bucket/*.tar` matches.

    Files whose names end in .tar, .zip or .parquet are read as what they are, all others as pictures.

    Raises:
        UserError: nothing is there, or a damaged archive or table.
        OSError: a folder on this machine that must not be read.
    """
    system, path = file_system(source)
    parts, loose = [], {}
    for address, size in sorted(_files(system, path).items()):
        is_special = is_local(system) and not Path(address).is_file()  # a pipe would be waited for
        match "" if is_special else address.rpartition(".")[2]:
            case "parquet":
                parts += _row_groups(address)
            case "tar" | "zip" as kind:
                parts += _chunks(f"{kind}://::{address}", dict.fromkeys(_members(kind, address), 0))
            case _:
                loose[address] = size
    if not loose and not parts:
        raise UserError(f"{source}: expected pictures, found nothing")
    return parts + _chunks(source, loose)


def _files(system: Any, path: str) -> dict[str, int]:
    """Size in bytes by address; MAX_BYTES where a server does not say it."""
    sizes: dict[str, int] = {}
    for name, about in system.glob(path, detail=True).items():
        if about["type"] != "directory":
            found = {name: about}
        elif is_local(system):
            found = {file: {"size": 0} for file in _files_in(name)}
        else:
            found = system.find(name, detail=True)
        sizes |= {file: MAX_BYTES if info["size"] is None else info["size"] for file, info in found.items()}
    return sizes if is_local(system) else {system.unstrip_protocol(name): size for name, size in sizes.items()}


def _files_in(folder: str) -> Iterator[str]:
    """All files of a folder on this machine, and links to folders; fsspec would pass over one that must not be read."""
    for place, folders, names in os.walk(folder, onerror=_raise):
        yield from (Path(place, name).as_posix() for name in names)
        yield from (link.as_posix() for link in (Path(place, name) for name in folders) if link.is_symlink())


def _raise(error: OSError) -> None:
    raise error


def _members(kind: str, address: str) -> list[str]:
    archive, _ = file_system(f"{kind}://::{address}")
    try:
        return archive.find("")
    except Exception as error:  # RecursionError for folders a thousand deep
        raise UserError(f"{address}: expected an archive that can be listed: {first_line(error)}") from None


def _chunks(source: str, sizes: dict[str, int]) -> list[Part]:
    items = list(sizes.items())
    chunks = [tuple(zip(*items[start : start + PART], strict=True)) for start in range(0, len(items), PART)]
    return [Part(source, index, len(names), names, sizes) for index, (names, sizes) in enumerate(chunks)]


def _row_groups(address: str) -> list[Part]:
    try:
        with fsspec.open(address) as file:
            table = pq.read_metadata(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{address}: expected a whole table: {first_line(error)}") from None
    counts = [table.row_group(index).num_rows for index in range(table.num_row_groups)]
    rows = accumulate(counts, initial=0)
    return [Part(address, index, count, row=row) for index, (count, row) in enumerate(zip(counts, rows, strict=False))]


def pictures_of(part: Part, column: str) -> Iterator[tuple[str, Content]]:
    """The name and the content of each picture of a part; each is to be read before the next is asked for.

    Args:
        column: of a table, the one that holds the pictures' bytes.
    """
    if not part.names:
        yield from _rows(part, column)
        return
    system, _ = file_system(part.source)
    if is_local(system):
        yield from ((name, Path(name)) for name in part.names)
    elif system.async_impl:
        yield from _fetched(system, part)
    else:
        yield from _opened(system, part.names)


def _fetched(system: Any, part: Part) -> Iterator[tuple[str, Content]]:
    """Files of a bucket, some at once."""
    left = list(zip(part.names, part.sizes, strict=True))
    while left:
        totals = list(accumulate(size for _, size in left[:TOGETHER]))
        count = max(1, sum(total <= MAX_BYTES for total in totals))
        names, left = [name for name, _ in left[:count]], left[count:]
        if totals[0] > MAX_BYTES:
            yield names[0], ValueError(f"expected at most {MAX_BYTES:,} bytes, found {totals[0]:,}")
            continue
        for name, content in zip(names, system.cat_ranges(names, None, None), strict=True):
            yield name, content if isinstance(content, Exception) else io.BytesIO(content)


def _opened(system: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Content]]:
    """Members of an archive, one after another; how much of each is read is up to the reader."""
    for name in names:
        try:
            packed = system.info(name).get("compress_type", zipfile.ZIP_STORED)
            if packed not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks the others without a limit
                raise ValueError(f"expected a member that is stored or deflated, found zip's method {packed}")
            file = system.open(name)
        except AttributeError:  # from fsspec 2026.9
            yield name, ValueError("expected a readable file, found a pipe or a device")
        except Exception as error:  # the archives' own
            yield name, error
        else:
            with file:
                yield name, file


def _rows(part: Part, column: str) -> Iterator[tuple[str, Content]]:
    """Rows of a table, one by one, because a dictionary's value may stand in each; damaged data ends in errors."""
    with fsspec.open(part.source) as file, pq.ParquetFile(file, buffer_size=BUFFER) as table:
        columns = [field.name for field in table.schema_arrow if str(field.type) in ("binary", "large_binary")]
        if column not in columns:
            found = ", ".join(columns) or "none"
            raise UserError(f"{part.source}: expected bytes in a column '{column}', found {found}; see --column")
        index, damage = 0, Exception(f"expected {part.pictures:,} rows in the row group, found fewer")
        try:
            for index, batch in enumerate(table.iter_batches(1, row_groups=[part.start], columns=[column]), 1):
                yield part.name(index - 1), pa.BufferReader(batch.column(0)[0].as_buffer() or b"")
        except MemoryError as error:  # Arrow's own, which is an ArrowException as well
            damage = Exception(f"expected rows that fit into memory, found: {error}")
        except (pa.ArrowException, OSError) as error:
            damage = error
        yield from ((part.name(left), damage) for left in range(index, part.pictures))
