"""The command that reads the digits in picture files: one, or a row of them.

An answer of which the model is unsure is marked: the picture may hold no digit at all.
Exit code: 0, or 1 where a file could not be answered; each of those has a line on standard error.
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

from mnist_reader.picture import PictureError, read_bytes
from mnist_reader.preparation import InputSpec, PreparedPicture, prepare_picture
from mnist_reader.reader import Reader, Reading

CHUNK = 64  # files that are read, prepared and classified together
POOL_FROM = 512  # files; below, starting more processes costs more than it saves


class Answer(NamedTuple):
    """What the model says to one file; the fields are the columns of the output."""

    file: str
    digit: str  # the label, or the digits of a row from left to right
    confidence: float  # probability that all of `digit` is right, 0–1
    second: str  # the next most likely label; empty for a row
    second_confidence: float
    unsure: bool  # perhaps no digit at all


def main(program: str, model: Path) -> None:
    """Answer the files in order, as they become ready.

    Args:
        program: what the user has called, for the help.
        model: the ONNX file to use, unless `--model` names another.
    """
    arguments = parse(program, model)
    reader = Reader(arguments.model, arguments.accept_all)
    refused: list[str] = []
    try:
        arguments.write(answers(prepared(arguments.files, reader), reader, refused), arguments.files)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if refused:
        sys.exit(1)


def parse(program: str, model: Path) -> argparse.Namespace:
    """The command line: files, model, and `write`, the function that prints the answers."""
    parser = argparse.ArgumentParser(prog=program, description="Read the digits in picture files.")
    parser.add_argument("files", nargs="*", help="pictures; - or none: one from standard input")
    parser.add_argument("--model", type=Path, default=model, help="ONNX file (default: the project's own)")
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


Prepared = tuple[str, PreparedPicture | str]  # (file, what the model is to see or what is wrong with it)


def prepare_file(file: str, spec: InputSpec) -> Prepared:
    """Read and prepare one file; an error becomes its text, so that the others go on."""
    name = printable(file)
    try:
        return file, digit_in(read_bytes(file), name, spec)
    except PictureError as error:
        return file, str(error)


def digit_in(content: bytes, name: str, spec: InputSpec) -> PreparedPicture:
    """What the model is to see of a picture.

    Raises:
        PictureError: no picture, or an empty one.
    """
    found = prepare_picture(content, name, spec)
    if found.empty:
        raise PictureError(f"{name}: expected a digit, found an empty picture")
    return found


def prepared(files: list[str], reader: Reader) -> Iterator[Prepared]:
    """Prepare files in order, with all cores where there are many."""
    one = functools.partial(prepare_file, spec=reader.input_spec)
    if len(files) < POOL_FROM:
        yield from map(one, files)
        return
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(one, files, chunksize=CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answers(pictures: Iterable[Prepared], reader: Reader, refused: list[str]) -> Iterator[Answer]:
    """Classify what could be prepared; say on standard error what could not, and add it to `refused`."""
    pictures = iter(pictures)
    while chunk := list(itertools.islice(pictures, CHUNK)):
        good = [(file, seen) for file, seen in chunk if not isinstance(seen, str)]
        for _, text in chunk:
            if isinstance(text, str):
                refused.append(text)
                print(f"error: {text}", file=sys.stderr)
        if good:
            yield from map(answer, [file for file, _ in good], reader.classify([seen for _, seen in good]))


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
