"""Train one model in several processes: each is a task of Dask's that runs `python -m stages.train` on JAX.

All workers must see the project's folder under the same path, as on one machine or on a shared file system. A training
that was interrupted goes on after the last epoch that all have finished.

Run: python -m cluster.train --processes 2 && dvc commit --force train && dvc repro
"""

import argparse
import socket
import sys
import tempfile
from pathlib import Path

from distributed import as_completed, get_worker

from cluster.engine import ClusterError, add_scheduler, connected, finish, reason
from mnist.core.errors import first_line, run
from mnist.core.params import load_params


def main() -> None:
    """Start the processes together; where one fails, all end."""
    asked = parse()
    load_params()  # so that a mistake is said once
    with connected(asked.scheduler, asked.processes) as client:
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])[: asked.processes]
        if len(workers) < asked.processes:
            raise ClusterError(f"{asked.scheduler}: expected {asked.processes} workers, found {len(workers)}")
        address = client.submit(free_address, workers=workers[:1], pure=False).result()
        futures = [
            client.submit(train, index, len(workers), address, Path.cwd(), workers=[worker], pure=False)
            for index, worker in enumerate(workers)
        ]
        for future in as_completed(futures):
            failure = first_line(future.exception()) if future.exception() else future.result()
            if failure:
                client.cancel(futures)
                raise ClusterError(failure.removeprefix("error: "))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cluster.train", description="Train in several processes.")
    parser.add_argument("--processes", type=int, required=True, help="2 or more, each on a worker of its own")
    add_scheduler(parser)
    asked = parser.parse_args()
    if asked.processes < 2:
        parser.error("--processes: expected 2 or more; `dvc repro` trains in one")
    return asked


def free_address() -> str:
    """Where process 0 can listen for the others."""
    host = get_worker().ip
    with socket.create_server((host, 0)) as server:
        return f"{host}:{server.getsockname()[1]}"


def train(index: int, count: int, address: str, folder: Path) -> str:
    """The task: one process of the training. Nothing, or why it failed."""
    environment = {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
        log = Path(scratch, "log")
        failed = finish([sys.executable, "-m", "stages.train"], folder, environment, log, tell=index == 0)
        return reason(log) if failed else ""


if __name__ == "__main__":
    run(main)
