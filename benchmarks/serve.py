"""apps.serve beside the smallest FastAPI application around the same reader: pictures a second, waits, memory.

8 client processes post docs/digit.png over connections that stay open, to one service and then to the other, in
turns. Then 200 clients at once, who must get no other refusal than 503.

Reads:  models/export/MNIST_keras_CNN.onnx, docs/digit.png
Writes: benchmarks/serve.json
Run:    python -m benchmarks.serve
"""

import http.client
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import report
from mnist_reader.core.errors import run

PICTURE = Path("docs/digit.png")
CLIENTS, CROWD = 8, 200
ROUNDS, SECONDS = 15, 2.0  # each round asks each service for so long
COMMANDS = {
    "apps.serve": ["apps.serve", "--port"],
    "smallest": ["uvicorn", "benchmarks.smallest_service:app", "--http", "h11", "--no-access-log", "--port"],
}  # with the same parser of HTTP
Answer = tuple[int, float]  # status, and milliseconds


def main() -> None:
    """Print the table and write the same figures as JSON."""
    with ProcessPoolExecutor(CLIENTS, multiprocessing.get_context("spawn")) as pool, started() as services:
        rounds: dict[str, list[list[Answer]]] = {name: [] for name in services}
        for _ in range(ROUNDS):
            for name, service in services.items():
                asked = [pool.submit(ask, service["port"], SECONDS) for _ in range(CLIENTS)]
                rounds[name].append([answer for client in asked for answer in client.result()])
        for service in services.values():
            service["cpu_ms"] = cpu(service["process"].pid)
        report("serve", [row(name, service, rounds[name]) for name, service in services.items()])


@contextmanager
def started() -> Iterator[dict[str, dict[str, Any]]]:
    """Both services, running: port, process, seconds until ready, and memory at rest in MB."""
    services: dict[str, dict[str, Any]] = {}
    try:
        for name, command in COMMANDS.items():
            services[name] = start(command)
        yield services
    finally:
        for service in services.values():
            service["process"].terminate()
            service["process"].wait()


def start(command: list[str]) -> dict[str, Any]:
    """Start one service on a free port, and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not answers(port):
        time.sleep(0.01)
    return {
        "port": port,
        "process": process,
        "seconds": time.perf_counter() - begin,
        "memory": memory(process.pid, "VmRSS"),
    }


def answers(port: int) -> bool:
    """The service is there: it says something to the simplest question."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/health")
        return connection.getresponse().status > 0
    except OSError:
        return False


def ask(port: int, seconds: float) -> list[Answer]:
    """Post the picture again and again; status and milliseconds of each answer."""
    content, answers = PICTURE.read_bytes(), []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        connection.request("POST", "/read", content)
        response = connection.getresponse()
        response.read()
        answers.append((response.status, (time.perf_counter() - begin) * 1000))
    return answers


def crowd(port: int) -> Counter[int]:
    """How often each status is answered to 200 clients at once."""
    statuses: Counter[int] = Counter()
    threads = [threading.Thread(target=lambda: statuses.update(s for s, _ in ask(port, 3))) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def memory(pid: int, field: str) -> float:
    """MB of a process, from Linux's /proc: VmRSS, what it has, or VmHWM, the most that it had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


def cpu(pid: int) -> float:
    """Milliseconds of processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def row(name: str, service: dict[str, Any], rounds: list[list[Answer]]) -> dict[str, Any]:
    """A service's figures: the median of its rounds, then what a crowd gets."""
    waits = [np.percentile([wait for _, wait in answers], [50, 99]) for answers in rounds]
    statuses = crowd(service["port"])
    return {
        "service": name,
        "start_seconds": service["seconds"],
        "idle_mb": service["memory"],
        "pictures_per_second": median(len(answers) / SECONDS for answers in rounds),
        "cpu_ms_per_picture": service["cpu_ms"] / sum(map(len, rounds)),
        "p50_ms": median(float(half) for half, _ in waits),
        "p99_ms": median(float(most) for _, most in waits),
        "crowd_200": statuses[200],
        "crowd_503": statuses[503],
        "crowd_other": statuses.total() - statuses[200] - statuses[503],
        "most_mb": memory(service["process"].pid, "VmHWM"),
    }


if __name__ == "__main__":
    run(main)
