"""What the service and the processes that read its pictures say to each other, through two pipes."""

import pickle
import struct
from enum import Enum
from typing import BinaryIO, NamedTuple

HEAD = struct.Struct(">cI")  # an outcome, and how many bytes follow


class Job(NamedTuple):
    """One picture to read."""

    content: bytes  # as it arrived
    kind: str  # "application/json" or "text/plain", which hold the picture in base64; else the content is the picture
    file: str | None  # its name in a form
    images: bool  # the answer has what the model saw
    quick: bool  # read it only if that is quick


class Outcome(Enum):
    """What became of a job, or of the start; the bytes that come with it."""

    READY = b"0"  # what the model says about itself, as JSON
    SURE = b"1"  # the reading, as JSON
    UNSURE = b"2"  # the same
    SLOW = b"3"  # nothing: it is not quick
    REFUSED = b"4"  # one line: the model or the picture cannot be read
    FAILED = b"5"  # the traceback of an error that nobody foresaw


def send_job(file: BinaryIO, job: Job) -> None:
    """Ask a reading process."""
    pickle.dump(tuple(job), file, pickle.HIGHEST_PROTOCOL)
    file.flush()


def receive_job(file: BinaryIO) -> Job:
    """The next job.

    Raises:
        EOFError: the service has ended.
    """
    return Job(*pickle.load(file))


def send_outcome(file: BinaryIO, outcome: Outcome, content: bytes) -> None:
    """Answer the service."""
    file.write(HEAD.pack(outcome.value, len(content)) + content)
    file.flush()


def receive_outcome(file: BinaryIO) -> tuple[Outcome, bytes]:
    """The answer; nothing in it runs, because a hostile picture may have taken over the process that wrote it.

    Raises:
        EOFError: the process has ended.
    """
    head = file.read(HEAD.size)
    if len(head) == HEAD.size:
        outcome, size = HEAD.unpack(head)
        content = file.read(size)
        if len(content) == size:
            return Outcome(outcome), content
    raise EOFError
