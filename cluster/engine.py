"""Dask, which hands the work out: on this machine alone, or by a scheduler that runs already."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster, Reschedule, Status, get_worker

from mnist.core.errors import UserError, first_line

OWN = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}  # Dask sets them in its workers
GUARD = 'exec 3<&0; (cat <&3 >/dev/null; kill -KILL 0) & exec "$@" 3<&- </dev/null'  # a shell's words


class ClusterError(UserError):
    """What is asked for cannot be handed out."""


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Where the work is done."""
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, tls://host:8786 (default: none)")


def add_arguments(parser: argparse.ArgumentParser, workers: int) -> None:
    """The same, for work that any number of workers can do."""
    add_scheduler(parser)
    parser.add_argument("--workers", type=int, default=workers, help=f"here, without a scheduler (default: {workers})")


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the scheduler at this address or, where there is none, of `workers` new processes on this machine.

    These listen on the loopback device alone and have one thread each. All that Dask writes is removed afterwards.

    Raises:
        ClusterError: no scheduler answers.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a lost worker or connection is made good
    if scheduler:
        try:
            client = Client(scheduler)
        except (OSError, ValueError) as error:
            raise ClusterError(f"{scheduler}: expected a Dask scheduler: {first_line(error)}") from None
        with client:
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="mnist-cluster-") as scratch:
        with _deaf_children():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # of its HTTP server, which cannot be switched off
                silence_logs=logging.CRITICAL,
                local_directory=scratch,
            )
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: the program that started them ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def finish(command: list[str], folder: Path, environment: dict[str, str], log: Path, tell: bool = False) -> int:
    """Run a command within a task, programs of this Python's environment first; its exit code.

    Its output goes to `log` and, to `tell`, to the client as well.

    The command and all that it starts are killed where the worker dies or the task is no longer wanted: a guard in
    their process group waits for the end of a pipe that the worker holds.

    Raises:
        Reschedule: the task is not wanted here any more.
    """
    worker = get_worker()
    key = worker.get_current_task()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if name not in OWN}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", GUARD, "sh", *command],
            cwd=folder,
            env=inherited | {"PATH": path} | environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with log.open(encoding="utf-8", errors="replace") as written:
            while process.poll() is None:
                task = worker.state.tasks.get(key)
                if worker.status != Status.running or task is None or task.state == "cancelled":
                    raise Reschedule
                time.sleep(0.2)
                if tell and (text := written.read()):
                    worker.log_event("print", text.rstrip("\n"))  # which a client prints
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
    return process.returncode


def reason(log: Path) -> str:
    """The line of a failed command's output that says why."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error:", "fatal:"))]
    return next(iter([*errors, *lines[-1:]]), "it said nothing")
