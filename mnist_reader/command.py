"""The command `mnist-read`: read the digits in picture files, one digit or a row of them.

What the model is unsure of is marked: the picture may hold no digit at all.
Exit code: 0, or 1 where a file could not be read; each of those has a line on standard error.
"""

import argparse
import csv
import functools
import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mnist_reader.classifier import BATCH
from mnist_reader.core.errors import run
from mnist_reader.picture import FORMATS, PictureError, read_bytes
from mnist_reader.preparation import InputSpec, PreparedPicture, prepare_picture
from mnist_reader.reader import Reader, Reading

POOL_FROM = 512  # files; below, starting more processes costs more than it saves


class Answer(NamedTuple):
    """What the model says to one file; the fields are the columns of the output."""

    file: str
    digit: str  # the label, or the digits of a row from left to right
    confidence: float  # probability that all of `digit` is right, 0–1
    second: str  # the next most likely label; empty for a row
    second_confidence: float
    unsure: bool  # perhaps no digit at all


Prepared = tuple[str, PreparedPicture | str]  # (file, what the model is to see or what is wrong with it)


def main(program: str = "mnist-read") -> None:
    """Run the command; an error ends it in one line. `program` is what the user has called, for the help."""
    run(functools.partial(read_files, program))


def read_files(program: str) -> None:
    """Read the files of the command line in order, and print each answer when it is ready."""
    arguments = parse(program)
    reader = Reader(arguments.model, arguments.accept_all)
    errors: list[str] = []
    try:
        arguments.write(answers(prepared(arguments.files, reader.input_spec), reader, errors), arguments.files)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has seen enough, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if errors:
        sys.exit(1)


def parse(program: str) -> argparse.Namespace:
    """The command line: files, model, and `write`, the function that prints the answers."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Read the digits in picture files: one digit a picture, or a row of them.",
        epilog=f"Pictures: {', '.join(FORMATS)}.",
    )
    parser.add_argument("files", nargs="*", help="pictures; - or none: one from standard input")
    parser.add_argument("--model", type=Path, help="ONNX file (default: the one of this package or clone)")
    parser.add_argument("--accept-all", action="store_true", help="one digit a picture, and none is unsure")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="write", action="store_const", const=write_json, help="print a JSON array")
    form.add_argument("--csv", dest="write", action="store_const", const=write_csv, help="print CSV")
    parser.set_defaults(write=write_table)
    arguments = parser.parse_args()
    if not arguments.files and sys.stdin.isatty():
        parser.error("expected picture files, or a picture on standard input; found none")
    arguments.files = arguments.files or ["-"]
    return arguments


def prepared(files: list[str], spec: InputSpec) -> Iterator[Prepared]:
    """Prepare files in order, with all cores where there are many."""
    prepare = functools.partial(prepare_file, spec=spec)
    if len(files) < POOL_FROM:
        yield from map(prepare, files)
        return
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(prepare, files, chunksize=BATCH)
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_file(file: str, spec: InputSpec) -> Prepared:
    """Read and prepare one file; an error becomes its text, so that the others go on."""
    try:
        return file, digit_in(read_bytes(file), printable(file), spec)
    except PictureError as error:
        return file, str(error)


def digit_in(content: bytes, name: str, spec: InputSpec) -> PreparedPicture:
    """What the model is to see of a picture.

    Raises:
        PictureError: no picture, or an empty one.
    """
    picture = prepare_picture(content, name, spec)
    if picture.empty:
        raise PictureError(f"{name}: expected a digit, found an empty picture")
    return picture


def answers(files: Iterable[Prepared], reader: Reader, errors: list[str]) -> Iterator[Answer]:
    """Classify what could be prepared; say on standard error what could not, and add it to `errors`."""
    files = iter(files)
    while batch := list(itertools.islice(files, BATCH)):
        readable = [(file, picture) for file, picture in batch if not isinstance(picture, str)]
        for error in (picture for _, picture in batch if isinstance(picture, str)):
            errors.append(error)
            print(f"error: {error}", file=sys.stderr)
        yield from map(answer, [file for file, _ in readable], reader.classify([picture for _, picture in readable]))


def answer(file: str, reading: Reading) -> Answer:
    """The columns of one reading."""
    one = reading.digits[0] if len(reading.digits) == 1 else None
    second, second_confidence = (one.second, one.second_confidence) if one else ("", 0.0)
    return Answer(file, reading.text, reading.confidence, second, second_confidence, reading.unsure)


def write_table(rows: Iterable[Answer], files: list[str]) -> None:
    """Print a table for people, as wide as the longest file name."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    width = max(len(name) for name in ["file", *map(printable, files)])
    print(f"{'file':{width}}  {'digit':>8}  confidence  second choice")
    for row in rows:
        second = f"{row.second} {row.second_confidence:11.2%}" if row.second else ""
        mark = "  unsure" if row.unsure else ""
        print(f"{printable(row.file):{width}}  {row.digit:>8}  {row.confidence:10.2%}  {second:13}{mark}".rstrip())


def printable(name: str) -> str:
    """A file name in which control characters and undecodable bytes are escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def write_json(rows: Iterable[Answer], files: list[str]) -> None:
    """Print a JSON array, one object a line."""
    separator = "[\n "
    for row in rows:
        print(separator + json.dumps(row._asdict()), end="")
        separator = ",\n "
    print("[]" if separator == "[\n " else "\n]")


def write_csv(rows: Iterable[Answer], files: list[str]) -> None:
    """Print CSV with a heading; file names keep the bytes that they have on disk."""
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Answer._fields)
    writer.writerows(rows)
