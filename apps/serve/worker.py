"""A process that reads pictures for the service, one at a time, so that none of them can hold or end the service.

Run: by `apps.serve.lanes`, as python -m apps.serve.worker NICENESS [MODEL]
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from apps.serve.jobs import Job, Outcome, receive_job, send_outcome
from apps.serve.readings import PNG, is_unsure, reading_json
from mnist_reader import PictureError, Reader
from mnist_reader.core.errors import WIDTH, UserError, first_line, printable
from mnist_reader.picture import from_data_url, open_image

QUICK_PIXELS = 100_000  # of a picture that is quick, a row in 20 ms
QUICK_SECONDS = 0.2  # of processor time, after which it turns out to be none
HEADER_BYTES = 2**16  # of a picture's file in which its size must stand for the picture to be quick
NAME = 100  # characters of a file's name in an error, at most
MEMBERS = 100  # of a JSON object; many would take much memory
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Load the model, say so, and read until the service has ended."""
    niceness, *model = sys.argv[1:]
    end_with_the_service()
    with suppress(AttributeError):  # Windows
        os.nice(int(niceness))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    try:
        reader = Reader(Path(model[0]) if model else None)
    except UserError as error:
        send_outcome(answers, Outcome.REFUSED, str(error).encode())
        return
    send_outcome(answers, Outcome.READY, json.dumps(reader.about._asdict()).encode())
    with suppress(EOFError):
        serve(reader, sys.stdin.buffer, answers)


def end_with_the_service() -> None:
    """Outlive the signals that tell all processes to stop, because the service answers first, but not the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "SIGPIPE"):  # Windows has none
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # an answer that the service does not take ends this silently
    if sys.platform == "linux":  # elsewhere it ends at the end of what it is reading
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(reader: Reader, jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer each job.

    Raises:
        EOFError: the service has ended.
    """
    while True:
        send_outcome(answers, *outcome(reader, receive_job(jobs)))


class SlowError(BaseException):
    """A job is not quick. No `except Exception` of a decoder catches it."""


def outcome(reader: Reader, job: Job) -> tuple[Outcome, bytes]:
    """Read one picture, whatever it is."""
    try:
        with at_most(QUICK_SECONDS if job.quick else 0):
            return read(reader, job)
    except SlowError:
        return Outcome.SLOW, b""
    except PictureError as error:
        return Outcome.REFUSED, first_line(error)[:WIDTH].encode()
    except Exception:
        return Outcome.FAILED, traceback.format_exc().encode()


def read(reader: Reader, job: Job) -> tuple[Outcome, bytes]:
    """The reading.

    Raises:
        SlowError: a quick job has a large picture.
        PictureError: the picture cannot be read.
    """
    content = from_text(job.content, job.kind) if job.kind else job.content
    if job.quick and is_large(content):
        raise SlowError
    reading = reader.read(content, printable(job.file[:NAME]) if job.file else "picture")
    answer = reading_json(reading, reader.about.classes, job.file, job.images)
    return Outcome.UNSURE if is_unsure(reading) else Outcome.SURE, answer


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Interrupt what takes more processor time; 0 for any. Where a system has no such timer, nothing is interrupted.

    Raises:
        SlowError: it took more.
    """
    if not hasattr(signal, "setitimer"):  # Windows has none
        yield
        return
    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)  # again, in case something swallowed its error
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Answer the timer's signal."""
    raise SlowError


def from_text(content: bytes, kind: str) -> bytes:
    """The picture that a body of JSON or text holds in base64.

    Raises:
        PictureError: the JSON or the base64 cannot be read.
    """
    text = json_image(content) if kind == "application/json" else content.decode("latin-1")
    text = text.replace("\r", "").replace("\n", "").strip()  # many encoders break lines
    return from_data_url(text if text.startswith("data:") else PNG + text, "picture")


def json_image(body: bytes) -> str:
    """The picture's text in a body of JSON.

    Raises:
        PictureError: not an object with `image`, or one that holds another or many names.
    """
    if body.count(b"{") == 1 and b"[" not in body and body.count(b",") < MEMBERS:
        with suppress(ValueError):
            value = json.loads(body.decode())
            if isinstance(value, dict) and isinstance(value.get("image"), str):
                return value["image"]
    raise PictureError(f'picture: expected JSON such as {{"image": "base64"}}, found {body[:20]!r}…')


def is_large(content: bytes) -> bool:
    """Whether a picture has more pixels than a quick one, or does not say how many early in its file.

    What is no picture is not large, because the reader refuses it at once.
    """
    try:
        with open_image(content[:HEADER_BYTES], "picture") as image:
            return image.width * image.height > QUICK_PIXELS
    except Exception:  # whatever Pillow stumbles over; the reader says what is wrong
        return len(content) > HEADER_BYTES


if __name__ == "__main__":
    main()
