"""A page and an HTTP service that read digits in pictures.

Run: python -m apps.serve [--port 7860]

Serves this machine alone, unless --host says otherwise; then requests need the token in the environment variable
MNIST_TOKEN. SIGTERM or Ctrl-C ends it, once what has begun is answered.
"""

import argparse
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from types import FrameType

from apps.serve.gate import is_loopback
from apps.serve.settings import Settings
from mnist.core.errors import UserError, run
from mnist.core.paths import ONNX

MODEL = Path(__file__).parents[2] / ONNX
TOKEN = "MNIST_TOKEN"


class ServeError(UserError):
    """The service cannot be started."""


def main() -> None:
    """Serve until told to stop."""
    serve(parse())


def parse() -> Settings:
    """The command line and the token.

    Raises:
        ServeError: other machines would be served without a token.
    """
    parser = argparse.ArgumentParser(prog="python -m apps.serve", description="A page and an API that read digits.")
    defaults = Settings(MODEL)
    parser.add_argument("--model", type=Path, default=MODEL, help=f"ONNX file (default: {ONNX} of this project)")
    parser.add_argument("--host", default=defaults.host, help="address to serve (default: %(default)s)")
    parser.add_argument("--port", type=int, default=defaults.port, help="0: any free one (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=defaults.workers, help="processes (default: %(default)s)")
    parser.add_argument("--allowed-host", action="append", default=[], help="a name that clients call this host by")
    arguments = parser.parse_args()
    token = os.environ.get(TOKEN, "")
    if not (token or is_loopback(arguments.host)):
        raise ServeError(f"{TOKEN}: expected a token, because --host is not 127.0.0.1; found none in the environment")
    if arguments.workers < 1:
        raise ServeError(f"--workers: expected 1 or more, found {arguments.workers}")
    names = tuple(arguments.allowed_host)
    return Settings(arguments.model, arguments.host, arguments.port, arguments.workers, names, token)


def serve(settings: Settings) -> None:
    """Load the model, take the port, and serve.

    Raises:
        ClassifierError, AboutError: the model cannot be used.
        ServeError: the port or the host cannot be used.
    """
    signal.signal(signal.SIGTERM, stop)  # uvicorn raises the signal again when all is answered
    signal.signal(signal.SIGINT, stop)
    from uvicorn import Config, Server  # takes a while: after the errors that are known without it
    from uvicorn.supervisors import Multiprocess

    from apps.serve.connections import Connection
    from apps.serve.service import create

    app = create(settings)
    listener = listen(settings.host, settings.port)
    config = Config(
        partial(create, settings) if settings.workers > 1 else app,
        factory=settings.workers > 1,
        http=partial(Connection, limits=settings.limits),  # type: ignore[arg-type]
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=settings.workers,
        timeout_graceful_shutdown=settings.limits.stop_seconds,
        timeout_keep_alive=10,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
    )
    print(f"read at {address(listener)} (Ctrl-C ends it)", flush=True)
    if settings.workers > 1:
        Multiprocess(config, [listener]).run()
    else:
        Server(config).run([listener])


def stop(number: int, frame: FrameType | None) -> None:
    """End the process well: what was asked has been answered, or nothing was served yet."""
    sys.exit(0)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on.

    Raises:
        ServeError: the host is no address of this machine, or the port is not free.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once if it says TCP
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(place[0]), port))
        listener.listen(1024)
    except (socket.gaierror, UnicodeError):
        raise ServeError(f"--host: expected a name or an address of this machine, found {host}") from None
    except (OSError, OverflowError):
        line = f"expected a free port, found {port}, which is in use or not allowed; choose one with --port"
        raise ServeError(line) from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


if __name__ == "__main__":
    run(main)
