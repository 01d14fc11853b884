"""The command `mnist-read`: read the digits in picture files, and in tables of pixels.

What the model is unsure of is marked: the picture may hold no digit at all.
Exit code: 0, or 1 where a picture is empty or cannot be read; each of those has a line on standard error.
"""

import argparse
import csv
import functools
import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mnist_reader.core.errors import UserError, printable, run
from mnist_reader.core.process import cores, drop_output, flush_output
from mnist_reader.picture import FORMATS, PictureError, read_bytes
from mnist_reader.reader import Reader, Reading
from mnist_reader.show import ShowError, draw, picture_suffixes, save
from mnist_reader.tables import PixelTableError, is_table, read_tables

POOL_FROM = 512  # files; below, starting more processes costs more than it saves
CHUNK = 16  # files that a process is given at a time


class Answer(NamedTuple):
    """What the model says to one file; the fields are the columns of the output."""

    file: str  # of a table, with `:` and the number of the image in it, from 1
    text: str  # the labels, each line of the page on a line of its own
    confidence: float  # probability that all of `text` is right, 0–1
    second: str  # the next most likely label; empty unless the picture shows one digit
    second_confidence: float
    unsure: bool  # perhaps no digit at all
    empty: bool  # there is nothing to read


Result = tuple[Answer | None, str]  # the answer to one file, and what is wrong with it: one of the two, or both


def main(program: str = "mnist-read") -> None:
    """Run the command; an error ends it in one line. `program` is what the user has called, for the help."""
    run(functools.partial(read_files, program, sys.stdout is None))


def read_files(program: str, closed: bool) -> None:
    """Read the files of the command line in order, and print each answer when it is ready; refuse `closed` output."""
    arguments = parse(program)
    if closed:
        raise UserError("standard output: expected an open one, found a closed one")
    reader_of(arguments.model, arguments.accept_all)  # a model that cannot be used is refused before any picture
    read = functools.partial(read_file, model=arguments.model, accept_all=arguments.accept_all, show=arguments.show)
    errors: list[str] = []
    files = files_in(arguments.files, errors)
    if arguments.show and files:
        check_show(arguments.show, arguments.files, files)
    results = map(read, files) if len(files) < POOL_FROM else read_in_processes(files, read)
    try:
        arguments.write(answers(itertools.chain.from_iterable(results), errors), files)
        flush_output()
    except BrokenPipeError:  # whoever reads the output has seen enough, as in `… | head`
        drop_output()
    if errors:
        sys.exit(1)


def parse(program: str) -> argparse.Namespace:
    """The command line: files, model, and `write`, the function that prints the answers."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Read the digits in picture files: one digit, a row, or a page of several lines.",
        epilog=f"Pictures: {', '.join(FORMATS)}, and HEIC if pillow-heif is installed. Tables: CSV with a row of "
        "pixels for each image, after its label if it has one; .npz as Keras' and MedMNIST's, whose test images are "
        "read. Their images are taken as they are: white ink on black, of the model's size.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        help="pictures, tables of pixels, or folders, whose pictures are read with those of the folders in them, "
        "sorted by name, without hidden ones; - or none: one picture from standard input",
    )
    parser.add_argument("--model", type=Path, help="ONNX file (default: the one of this package or clone)")
    parser.add_argument("--accept-all", action="store_true", help="one digit a picture, and none is unsure")
    parser.add_argument(
        "--show",
        type=Path,
        metavar="PICTURE",
        help="also write this picture, such as out.png: boxes and answers, dashed and with a question mark where "
        "unsure, drawn on the one picture that is read",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="write", action="store_const", const=write_json, help="print a JSON array")
    form.add_argument("--csv", dest="write", action="store_const", const=write_csv, help="print CSV")
    parser.set_defaults(write=write_table)
    arguments = parser.parse_args()
    if not arguments.files and sys.stdin.isatty():
        parser.error("expected picture files, or a picture on standard input; found none")
    arguments.files = arguments.files or ["-"]
    return arguments


def files_in(names: list[str], errors: list[str]) -> list[str]:
    """The files to read: folders become their pictures; one without pictures is an error."""
    files: list[str] = []
    for name in names:
        pictures = [name] if name == "-" else pictures_in(name)
        if not pictures:
            report(f"{name}: expected pictures in the folder, found none", errors)
        files += pictures
    return files


def pictures_in(folder: str) -> list[str]:
    """The pictures in a folder and in its folders, sorted, without hidden ones.

    What is no folder, or cannot be listed, stands for itself: who reads it will see what is wrong.
    """
    unlisted: list[str] = []
    pictures: list[str] = []
    suffixes = {*picture_suffixes(), ".heic", ".heif"}
    for place, folders, names in os.walk(folder, onerror=lambda error: unlisted.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(place, name) for name in names if not name.startswith(".")]
        pictures += [str(path) for path in paths if path.suffix.lower() in suffixes]
    return sorted([*pictures, *unlisted], key=Path)


def check_show(show: Path, names: list[str], files: list[str]) -> None:
    """Refuse to draw on several pictures, or over the picture itself.

    Raises:
        ShowError: one of these was asked for.
    """
    if files != names or len(files) != 1 or is_table(Path(files[0])):
        found = f"{len(names)}" if len(names) > 1 else "a table" if files == names else "a folder"
        raise ShowError(f"--show {show}: expected one picture to draw on, found {found}")
    if show.resolve() == Path(files[0]).resolve():
        raise ShowError(f"--show {show}: expected a new picture, found the one that is read")


def read_in_processes(files: list[str], read: Callable[[str], list[Result]]) -> Iterator[list[Result]]:
    """Read files in order with all cores."""
    try:
        pool = ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn"))
    except OSError:  # its locks need /dev/shm
        yield from map(read, files)
        return
    with pool:
        try:
            yield from pool.map(read, files, chunksize=CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


@functools.cache
def reader_of(model: Path | None, accept_all: bool) -> Reader:
    """The reader of this process."""
    return Reader(model, accept_all)


def read_file(file: str, model: Path | None, accept_all: bool = False, show: Path | None = None) -> list[Result]:
    """Read one file, and draw what was read to `show`; an error becomes its text, so that the others go on."""
    reader = reader_of(model, accept_all)
    if is_table(Path(file)):
        return read_table(file, reader)
    try:
        content = read_bytes(file)
        reading = reader.read(content, file)
        if show:
            save(draw(content, reading), show)
    except (PictureError, ShowError) as error:
        return [(None, str(error))]
    return [(answer(file, reading), f"{file}: expected a digit, found an empty picture" if reading.empty else "")]


def read_table(file: str, reader: Reader) -> list[Result]:
    """Read the images of a table; of one with several parts, the test images."""
    try:
        tables = read_tables(Path(file), reader.classifier.shape)
        images = tables.get("test") or next(iter(tables.values()))
    except PixelTableError as error:
        return [(None, str(error))]
    except OSError as error:
        return [(None, f"{file}: expected a readable file, found: {error.strerror or error}")]
    return [(answer(f"{file}:{row}", reading), "") for row, reading in enumerate(reader.read_images(images.x), 1)]


def answers(results: Iterable[Result], errors: list[str]) -> Iterator[Answer]:
    """The answers; what is wrong is said on standard error at its turn, and added to `errors`."""
    for found, error in results:
        if error:
            report(error, errors)
        if found:
            yield found


def report(error: str, errors: list[str]) -> None:
    """Say on standard error, in one line, what is wrong, and add it to `errors`."""
    errors.append(error)
    print(f"error: {printable(error)}", file=sys.stderr)


def answer(file: str, reading: Reading) -> Answer:
    """The columns of one reading."""
    one = reading.digits[0] if len(reading.digits) == 1 else None
    second, second_confidence = (one.second, one.second_confidence) if one else ("", 0.0)
    return Answer(file, reading.text, reading.confidence, second, second_confidence, reading.unsure, reading.empty)


def write_table(rows: Iterable[Answer], files: list[str]) -> None:
    """Print a table for people, as wide as the longest file name; a row of digits or a page ends its line."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    width = max(len(printable(name)) + (len(":00000") if is_table(Path(name)) else 0) for name in ["file", *files])
    heading = f"{'file':{width}}  confidence          text      second choice\n"
    for row in rows:
        mark = "empty" if row.empty else "unsure" if row.unsure else ""
        text = row.text.replace("\n", " / ")
        second = f"{row.second} {row.second_confidence:11.2%}" if row.second else ""
        line = f"{printable(row.file):{width}}  {row.confidence:10.2%}  {mark:6}  {text:8}  {second}"
        print(heading + line.rstrip())
        heading = ""


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
