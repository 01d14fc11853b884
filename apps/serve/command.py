"""The command line: parse it, take the port, and serve."""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from apps.serve.app import create
from apps.serve.lanes import Worker
from apps.serve.settings import Settings
from mnist_reader.core.errors import UserError
from mnist_reader.core.process import end_with_parent

TOKEN = "MNIST_TOKEN"
STOPPING = 2  # seconds of a service's end in which nothing is answered: its processes find each other's end
RECEIVED = 2**14  # bytes that are received at once; h11 takes 0.1 s for 2**17 in chunks of one byte
CONNECTIONS = 2048  # while as many are open, uvicorn answers new requests with 503


def parse() -> Settings:
    """The command line and the token.

    Raises:
        UserError: other machines would be served without a token, or the token is none.
    """
    parser = argparse.ArgumentParser(prog="python -m apps.serve", description="A page and an API that read digits.")
    defaults = Settings()
    parser.add_argument("--model", type=Path, help="ONNX file (default: models/export of this project)")
    parser.add_argument("--host", default=defaults.host, help="address to serve (default: %(default)s)")
    parser.add_argument("--port", type=int, default=defaults.port, help="0: any free one (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=defaults.workers, help="processes (default: %(default)s)")
    parser.add_argument("--allowed-host", action="append", default=[], help="a name that clients call this host by")
    arguments = parser.parse_args()
    token = os.environ.get(TOKEN, "")
    if not (token.isascii() and token.isprintable() and token == token.strip()):
        line = "expected letters, digits and signs of ASCII without spaces around them, as a header can hold"
        raise UserError(f"{TOKEN}: {line}; found something else")
    if not (token or is_loopback(arguments.host)):
        raise UserError(f"{TOKEN}: expected a token, because --host is not 127.0.0.1; found none in the environment")
    if arguments.workers < 1:
        raise UserError(f"--workers: expected 1 or more, found {arguments.workers}")
    names = tuple(arguments.allowed_host)
    return Settings(arguments.model, arguments.host, arguments.port, arguments.workers, names, token)


def serve(settings: Settings) -> None:
    """Load the model, take the port, and serve.

    Raises:
        UserError: the model, the port or the host cannot be used.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again when all is answered
        signal.signal(number, lambda *_: sys.exit(0))
    allow_open_files(2 * CONNECTIONS)
    several = settings.workers > 1
    app = partial(create_child, settings) if several else create(settings)
    if several:
        check(settings)
    listener = listen(settings.host, settings.port)
    config = Config(
        app,
        factory=several,
        http=Protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=settings.workers,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=max(1, settings.limits.stop_seconds - STOPPING),
        timeout_keep_alive=10,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
    )
    print(f"read at {address(listener)} (Ctrl-C ends it)", flush=True)
    if several:
        Multiprocess(config, [listener]).run()
    else:
        Server(config).run([listener])


class Protocol(H11Protocol):
    """HTTP by h11, which limits a request's head to 16 KiB; httptools, a sixth faster, has no limit."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        transport.max_size = RECEIVED  # type: ignore[attr-defined]
        super().connection_made(transport)


def check(settings: Settings) -> None:
    """Load the model once before several processes do.

    Raises:
        UserError: the model cannot be used.
    """
    worker = Worker(settings.model, niceness=0)
    worker.loaded()
    worker.end()
    worker.join()


def create_child(settings: Settings) -> ASGIApp:
    """The application in one of several processes, which ends with the one that started it."""
    end_with_parent()
    return create(settings)


def allow_open_files(count: int) -> None:
    """Let this process and its workers open `count` files, because many systems allow 1,024 unless asked."""
    with contextlib.suppress(ImportError):  # Windows has neither the module nor the limit
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most if 0 <= most < count else count, most))


def is_loopback(host: str) -> bool:
    """Nothing outside this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on.

    Raises:
        UserError: the host is no address of this machine, or the port is not free.
    """
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once if it says TCP
        if os.name == "posix":  # on Windows it would let two services take the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(place[0]), port))
        listener.listen(1024)
    except (socket.gaierror, UnicodeError):
        raise UserError(f"--host: expected a name or an address of this machine, found {host}") from None
    except (OSError, OverflowError):
        line = f"expected a free port, found {port}, which is in use or not allowed; choose one with --port"
        raise UserError(line) from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
