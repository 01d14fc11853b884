"""Read the digits in picture files.

Run: python -m apps.predict digit.png more/*.jpg
     python -m apps.predict --json < digit.png

Exit code: 0, or 1 where a file could not be answered; each of those has a line on standard error.
"""

import argparse
import csv
import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.errors import run
from mnist.inference.classifier import Classifier
from mnist.inference.picture import PictureError, read_bytes
from mnist.inference.prepare import prepare
from mnist.paths import ONNX

MODEL = Path(__file__).parents[1] / ONNX
CHUNK = 64  # files that are read, prepared and classified together
POOL_FROM = 512  # files; below, starting more processes costs more than it saves


class Answer(NamedTuple):
    """What the model says to one file; the fields are the columns of the output."""

    file: str
    digit: int
    confidence: float  # probability of `digit`, 0–1
    second: int
    second_confidence: float


def main() -> None:
    """Answer the files in order, as they become ready."""
    arguments = parse()
    classifier = Classifier(arguments.model)
    refused: list[str] = []
    try:
        arguments.write(answers(prepared(arguments.files), classifier, refused), arguments.files)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if refused:
        sys.exit(1)


def parse() -> argparse.Namespace:
    """The command line: files, model, and `write`, the function that prints the answers."""
    parser = argparse.ArgumentParser(prog="python -m apps.predict", description="Read the digits in picture files.")
    parser.add_argument("files", nargs="*", help="pictures; - or none: one from standard input")
    parser.add_argument("--model", type=Path, default=MODEL, help=f"ONNX file (default: {ONNX} of this project)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="write", action="store_const", const=write_json, help="print a JSON array")
    form.add_argument("--csv", dest="write", action="store_const", const=write_csv, help="print CSV")
    parser.set_defaults(write=write_table)
    arguments = parser.parse_args()
    if not arguments.files and sys.stdin.isatty():
        parser.error("expected picture files, or a picture on standard input; found none")
    arguments.files = arguments.files or ["-"]
    return arguments


Prepared = tuple[str, np.ndarray | str]  # (file, uint8 (28, 28) or what is wrong with it)


def prepare_file(file: str) -> Prepared:
    """Read and prepare one file; an error becomes its text, so that the others go on."""
    try:
        return file, prepare(read_bytes(file), printable(file))
    except PictureError as error:
        return file, str(error)


def prepared(files: list[str]) -> Iterator[Prepared]:
    """Prepare files in order, with all cores where there are many."""
    if len(files) < POOL_FROM:
        yield from map(prepare_file, files)
        return
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(prepare_file, files, chunksize=CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answers(pictures: Iterable[Prepared], classifier: Classifier, refused: list[str]) -> Iterator[Answer]:
    """Classify what could be prepared; say on standard error what could not, and add it to `refused`."""
    pictures = iter(pictures)
    while chunk := list(itertools.islice(pictures, CHUNK)):
        good = [(file, image) for file, image in chunk if not isinstance(image, str)]
        for _, text in chunk:
            if isinstance(text, str):
                refused.append(text)
                print(f"error: {text}", file=sys.stderr)
        if good:
            yield from map(answer, [file for file, _ in good], classifier(np.stack([image for _, image in good])))


def answer(file: str, probabilities: np.ndarray) -> Answer:
    """The two most likely digits of probabilities `(10,)`."""
    second, first = map(int, np.argsort(probabilities)[-2:])
    return Answer(file, first, float(probabilities[first]), second, float(probabilities[second]))


def write_table(rows: Iterable[Answer], files: list[str]) -> None:
    """Print a table for people, as wide as the longest file name."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    width = max(len(name) for name in ["file", *map(printable, files)])
    print(f"{'file':{width}}  digit  confidence  second choice")
    for row in rows:
        name = f"{printable(row.file):{width}}"
        print(f"{name}  {row.digit:5}  {row.confidence:10.2%}  {row.second} {row.second_confidence:11.2%}")


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


if __name__ == "__main__":
    run(main)
