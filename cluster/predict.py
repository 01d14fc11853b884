"""Read the digits in millions of pictures, on many machines: Dask hands them out in parts.

Run: python -m cluster.predict pictures/ answers/
     python -m cluster.predict 's3://bucket/*.parquet' s3://bucket/answers --scheduler tls://host:8786
"""

import argparse
import hashlib
import io
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from distributed import KilledWorker
from tqdm import tqdm

from cluster.answers import COLUMNS, Row, rows_of
from cluster.engine import add_arguments, completed, connected
from cluster.pictures import PART, Part, file_system, is_local, parts_of
from mnist.core.errors import UserError, run
from mnist.core.files import atomic
from mnist.core.paths import ONNX
from mnist_reader import Reader
from mnist_reader.core.process import cores


def main() -> None:
    """Answer the parts that the target does not have yet."""
    asked = parse()
    Reader(asked.model)  # so that a bad model is refused here
    model = asked.model.read_bytes()
    parts = named(parts_of(asked.source), [hashlib.sha256(model).hexdigest(), asked.column, asked.accept_all])
    system, folder = file_system(asked.target)
    target = system.unstrip_protocol(folder)  # an absolute address
    names = {path.rpartition("/")[2] for path in system.ls(folder, detail=False)} if system.exists(folder) else set()
    done = {name for name in names if name and not name.startswith(".")}  # with a dot, it is being written
    if strange := done - (parts.keys() if asked.resume else set()):
        expected = "answers to this source with this model" if asked.resume else "an empty folder, or --resume"
        raise UserError(f"{asked.target}: expected {expected}, found {min(strange)}")
    left = {name: part for name, part in parts.items() if name not in done}
    total, empty, failed = sum(part.pictures for part in left.values()), 0, 0
    with connected(asked.scheduler, asked.workers) as client, tqdm(total=total, unit=" pictures", disable=None) as bar:
        shared = client.submit(bytes, model)  # sent once, and made anew if the worker that has it dies
        common = (asked.column, shared, asked.accept_all)
        targets = {f"{target}/{name}": part for name, part in left.items()}
        tasks = {client.submit(answer_part, part, file, *common, pure=False): file for file, part in targets.items()}
        for future in completed(tasks):
            if isinstance(future.exception(), KilledWorker):
                raise UserError(f"{tasks[future]}: expected workers that last, found that they end with it")
            count, blank, unreadable = future.result()
            bar.update(count)
            empty, failed = empty + blank, failed + unreadable
    print(f"{asked.target}: {total:,} pictures done now; empty: {empty:,}; could not be read: {failed:,}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cluster.predict", description="Read the digits in many pictures.")
    parser.add_argument("source", help="folder, picture, .tar, .zip, .parquet, or a pattern; s3:// and gs:// as well")
    parser.add_argument("target", help="folder for the answers, a Parquet file a part")
    parser.add_argument("--resume", action="store_true", help="write what is missing in a target")
    parser.add_argument("--column", default="image", help="of a Parquet file: the pictures' bytes (default: image)")
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[1] / ONNX, help="ONNX file")
    parser.add_argument("--accept-all", action="store_true", help="one digit a picture, and none is unsure")
    add_arguments(parser, workers=cores())
    return parser.parse_args()


def named(parts: list[Part], settings: list[object]) -> dict[str, Part]:
    """The parts by the names of their files, which differ where a part or the settings differ."""
    digests = [hashlib.sha256(json.dumps([settings, part[:4]]).encode()).hexdigest() for part in parts]
    return {f"part-{index:06}-{digests[index][:8]}.parquet": part for index, part in enumerate(parts)}


def answer_part(part: Part, target: str, column: str, model: bytes, accept_all: bool) -> tuple[int, int, int]:
    """Answer a part in one file, which is whole or not there.

    Returns:
        How many pictures it has, how many of them are empty, and how many could not be read.
    """
    content, counts = table_of(rows_of(part, column, model, accept_all))
    system, path = file_system(target)
    if is_local(system):
        with atomic(Path(path)) as scratch:
            scratch.write_bytes(content)
    else:
        system.pipe_file(path, content)  # a store shows an object when all of it has arrived
    return counts


def table_of(rows: Iterable[Row]) -> tuple[bytes, tuple[int, int, int]]:
    """A Parquet file of the rows, PART in each row group; how many there are, are empty, and have an error."""
    count = empty = failed = 0
    content, left = io.BytesIO(), iter(rows)
    with pq.ParquetWriter(content, COLUMNS) as writer:
        while some := list(islice(left, PART)):
            writer.write_table(pa.Table.from_pylist(some, COLUMNS))
            count += len(some)
            empty += sum(row.get("empty", False) for row in some)
            failed += sum("error" in row for row in some)
    return content.getvalue(), (count, empty, failed)


if __name__ == "__main__":
    run(main)
