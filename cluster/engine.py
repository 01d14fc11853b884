"""Dask, which hands the work out: to new processes on this machine, or through a scheduler that runs already."""

import argparse
import logging
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from distributed import Client, Future, LocalCluster, as_completed

from mnist.core.errors import UserError, first_line


def add_arguments(parser: argparse.ArgumentParser, workers: int) -> None:
    """Add the options that say who does the work."""
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, tls://host:8786 (default: none)")
    place = f"here, without a scheduler (default: {workers})"
    parser.add_argument("--workers", type=count, default=workers, help=place)


def count(text: str) -> int:
    """A number of the command line that is 1 or more; without a worker, all would wait for ever."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {text!a}")
    return int(text)


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the scheduler at this address or, if there is none, of `workers` new processes on this machine.

    The new processes have one thread each, listen on localhost only and leave no file behind.
    """
    logging.disable()  # Dask logs each worker or connection that is lost
    with ExitStack() as stack:
        address = stack.enter_context(_local_cluster(workers)) if scheduler is None else scheduler
        try:
            client = stack.enter_context(Client(address))
        except (OSError, TypeError, ValueError) as error:  # TypeError: TLS without certificates
            raise UserError(f"{scheduler}: expected a Dask scheduler: {first_line(error)}") from None
        yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[LocalCluster]:
    with tempfile.TemporaryDirectory(prefix="mnist-cluster-") as scratch:
        with _ignored_signals():  # the workers inherit that; this program ends them
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # by default it listens on every network
                silence_logs=logging.CRITICAL,
                local_directory=scratch,
            )
        with cluster:
            yield cluster


@contextmanager
def _ignored_signals() -> Iterator[None]:
    """Ignore what a terminal sends to all processes of a program: on Ctrl-C, and when it is closed."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def completed(futures: Iterable[Future]) -> Iterator[Future]:
    """The futures, each as soon as it is done."""
    for future in as_completed(futures):
        if future.cancelled():
            raise UserError("expected a connection to the scheduler that lasts, lost it; call the program again")
        yield future
