"""What a service is told at its start. Everything can be pickled, so that each worker process gets the same."""

from pathlib import Path
from typing import NamedTuple

CLOSE = {"Connection": "close"}  # instead of receiving a body that nobody reads
RETRY = {"Retry-After": "1"}  # seconds


class Limits(NamedTuple):
    """How much one process takes on; what is more is refused."""

    body_bytes: int = 10 * 2**20  # of one request
    held_bytes: int = 64 * 2**20  # of all bodies in memory together
    body_seconds: float = 20  # until the body has arrived
    files: int = 64  # in one form
    waiting: int = 64  # slow pictures, besides the one that is being read
    wait_seconds: float = 10  # until a picture's turn comes
    read_seconds: float = 10  # in which a picture is read
    request_seconds: float = 40  # from a request's head to its answer
    stop_seconds: int = 45  # until a stopping service has ended: longer than it takes to answer what it has begun


class Settings(NamedTuple):
    """What the command line and the environment say."""

    model: Path | None = None  # else the project's own
    host: str = "127.0.0.1"
    port: int = 7860  # 0 = any free one
    workers: int = 1  # processes
    allowed_hosts: tuple[str, ...] = ()  # besides this machine's own names and `host`
    token: str = ""  # that requests must carry; none where empty
    limits: Limits = Limits()
