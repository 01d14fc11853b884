"""apps.serve beside the smallest FastAPI application around the same reader: pictures a second, waits, memory.

8 client processes post docs/digit.png over connections that stay open, to one service and then to the other, in
turns; each round once more while another client posts a page of 12 megapixels again and again. Then 200 clients at
once, who must get no other refusal than 503.

Reads:  models/export/MNIST_keras_CNN.onnx, docs/digit.png
Writes: benchmarks/serve.json
Run:    python -m benchmarks.serve
"""

import http.client
import io
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
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

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
    with ProcessPoolExecutor(CLIENTS + 1, multiprocessing.get_context("spawn")) as pool, started() as services:
        rounds: dict[str, list[list[Answer]]] = {name: [] for name in services}
        beside: dict[str, list[list[Answer]]] = {name: [] for name in services}
        for _ in range(ROUNDS):
            for name, service in services.items():
                before = cpu(service["process"].pid)
                rounds[name].append(asked(pool, service["port"]))
                service["cpu_ms"] += cpu(service["process"].pid) - before
            for name, service in services.items():
                slow = pool.submit(ask, service["port"], SECONDS, large_page())
                beside[name].append(asked(pool, service["port"]))
                slow.result()
        report("serve", [row(name, service, rounds[name], beside[name]) for name, service in services.items()])


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
        "cpu_ms": 0.0,
    }


def answers(port: int) -> bool:
    """The service is there: it says something to the simplest question."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/health")
        return connection.getresponse().status > 0
    except OSError:
        return False


def asked(pool: ProcessPoolExecutor, port: int) -> list[Answer]:
    """What the clients are answered in one round."""
    clients = [pool.submit(ask, port, SECONDS, PICTURE.read_bytes()) for _ in range(CLIENTS)]
    return [answer for client in clients for answer in client.result()]


@cache
def large_page() -> bytes:
    """A JPEG of 4000 × 3000 pixels with the picture sixty times on it."""
    page, digit = Image.new("L", (4000, 3000), "white"), Image.open(PICTURE).convert("L").resize((200, 240))
    for number in range(60):
        page.paste(digit, (200 + number % 10 * 370, 150 + number // 10 * 460))
    file = io.BytesIO()
    page.save(file, "JPEG")
    return file.getvalue()


def ask(port: int, seconds: float, content: bytes) -> list[Answer]:
    """Post a picture again and again; status and milliseconds of each answer."""
    answers = []
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
    threads = [
        threading.Thread(target=lambda: statuses.update(s for s, _ in ask(port, 3, PICTURE.read_bytes())))
        for _ in range(CROWD)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def processes(pid: int) -> list[int]:
    """A process and those that it started, from Linux's /proc."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for file in children for child in file.read_text().split())]


def memory(pid: int, field: str) -> float:
    """MB of all processes of a service: VmRSS, what they have, or VmHWM, the most that each had so far."""
    lines = [line for one in processes(pid) for line in Path(f"/proc/{one}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


def cpu(pid: int) -> float:
    """Milliseconds of processor time of a service's processes so far."""
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split() for one in processes(pid)]
    return sum(int(one[11]) + int(one[12]) for one in fields) * 1000 / os.sysconf("SC_CLK_TCK")


def waits(rounds: list[list[Answer]], percent: float) -> float:
    """The median of the rounds' percentiles, in milliseconds."""
    return median(float(np.percentile([wait for _, wait in answers], percent)) for answers in rounds)


def row(name: str, service: dict[str, Any], rounds: list[list[Answer]], beside: list[list[Answer]]) -> dict[str, Any]:
    """A service's figures: the median of its rounds, alone and beside a slow client, then what a crowd gets."""
    statuses = crowd(service["port"])
    return {
        "service": name,
        "start_seconds": service["seconds"],
        "idle_mb": service["memory"],
        "pictures_per_second": median(len(answers) / SECONDS for answers in rounds),
        "cpu_ms_per_picture": service["cpu_ms"] / sum(map(len, rounds)),
        "p50_ms": waits(rounds, 50),
        "p99_ms": waits(rounds, 99),
        "p99_ms_beside_pages": waits(beside, 99),
        "crowd_200": statuses[200],
        "crowd_503": statuses[503],
        "crowd_other": statuses.total() - statuses[200] - statuses[503],
        "most_mb": memory(service["process"].pid, "VmHWM"),
    }


if __name__ == "__main__":
    run(main)
