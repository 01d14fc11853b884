"""Dask, which hands the work out: to new processes on this machine, or through a scheduler that runs already."""

import argparse
import logging
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from distributed import Client, Future, LocalCluster, as_completed

from mnist.core.errors import UserError, first_line


class ClusterError(UserError):
    """What is asked for cannot be handed out."""


def add_arguments(parser: argparse.ArgumentParser, workers: int) -> None:
    """Add the options that say who does the work."""
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, tls://host:8786 (default: none)")
    parser.add_argument("--workers", type=int, default=workers, help=f"here, without a scheduler (default: {workers})")


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the scheduler at this address or, if there is none, of `workers` new processes on this machine.

    The new processes have one thread each, listen on localhost only and leave no file behind.
    """
    logging.disable()  # Dask logs each worker or connection that is lost
    with ExitStack() as stack:
        address = scheduler or stack.enter_context(_local_cluster(workers))
        try:
            client = stack.enter_context(Client(address))
        except (OSError, ValueError) as error:
            raise ClusterError(f"{scheduler}: expected a Dask scheduler: {first_line(error)}") from None
        yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[LocalCluster]:
    with tempfile.TemporaryDirectory(prefix="mnist-cluster-") as scratch:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # in the workers: on Ctrl-C this program ends them
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # by default it listens on every network
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
        )
        signal.signal(signal.SIGINT, before)
        with cluster:
            yield cluster


def completed(futures: Iterable[Future]) -> Iterator[Future]:
    """The futures, each as soon as it is done."""
    for future in as_completed(futures):
        if future.cancelled():
            raise ClusterError("expected a connection to the scheduler that lasts, lost it; call the program again")
        yield future
