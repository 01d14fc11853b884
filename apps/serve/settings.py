"""What a service is told at its start. Everything can be pickled, so that each worker process gets the same."""

from pathlib import Path
from typing import NamedTuple


class Limits(NamedTuple):
    """How much one process takes on; what is more is refused."""

    body_bytes: int = 10 * 2**20  # of one request
    held_bytes: int = 64 * 2**20  # of all bodies in memory together
    head_bytes: int = 64 * 2**10  # of a request's first line and headers
    files: int = 64  # in one form
    head_seconds: float = 10  # until a connection has sent a request's head
    body_seconds: float = 20  # until the body has arrived as well
    answer_seconds: float = 60  # from the head until the client has taken the answer
    linger_seconds: float = 2  # in which a refused client may still send, and read why
    stop_seconds: int = 45  # in which a stopping service answers what it has begun
    connections: int = 512  # open at the same time; the soft limit on files is 1,024 on many systems
    waiting: int = 64  # larger pictures, besides the one being read
    wait_seconds: float = 10
    quick_pixels: int = 1_000_000  # of a picture that is read at once, which takes up to 20 milliseconds
    quick_bytes: int = 2**20  # of it, or of a form


class Settings(NamedTuple):
    """What the command line and the environment say."""

    model: Path
    host: str = "127.0.0.1"
    port: int = 7860  # 0 = any free one
    workers: int = 1  # processes
    allowed_hosts: tuple[str, ...] = ()  # besides this machine's own names and `host`
    token: str = ""  # that requests must carry; none where empty
    limits: Limits = Limits()
