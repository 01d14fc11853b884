"""Real services on loopback ports, for the tests of apps.serve; a small model, pictures, and raw requests."""

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from PIL import Image, ImageDraw

from tests import linear
from tests.clones import ROOT

ABOUT = {
    "title": "Bars and rings",
    "licence": "none",
    "classes": [str(digit) for digit in range(10)],
    "preparation": "ink",
    "threshold": 0.3,
    "version": "1.2.3",
}
WEIGHTS = linear.bar_or_ring(-0.1)
WITH_LIMITS = """
import sys
from pathlib import Path
from apps.serve.command import serve
from apps.serve.settings import Limits, Settings
from mnist_reader.core.errors import run
if __name__ == "__main__":
    run(lambda: serve(Settings(Path(sys.argv[2]), port=0, workers={workers}, limits=Limits({limits}))))
"""
# The picture's digit many times on a page: the second of each line has a mark, and the first of line 1 is unsure.
PAGE = """
from mnist_reader import Reader
from mnist_reader.reader import Reading
read = Reader.read
def read_as_page(*arguments):
    (digit,) = read(*arguments).digits
    def placed(line, column):
        box = (column / {columns}, line / {lines}, (column + 0.8) / {columns}, (line + 0.8) / {lines})
        return digit._replace(box=box, mark="." * (column == 1), unsure=(line, column) == (1, 0))
    lines = tuple(tuple(placed(line, column) for column in range({columns})) for line in range({lines}))
    return Reading(lines, {turned})
Reader.read = read_as_page
"""


def write_model(path, about=ABOUT):
    """A model of WEIGHTS as ONNX, which says `about` of itself."""
    linear.write_model(path, WEIGHTS)
    linear.describe(path, {name: json.dumps(value) for name, value in about.items()})
    return path


def bar(form="PNG", side=100):
    """A picture of a 1: a dark bar on white paper. From a side of 1001 on it is read in its turn, not at once."""
    image = Image.new("L", (side, side), "white")
    ImageDraw.Draw(image).rectangle((side * 0.46, side * 0.1, side * 0.54, side * 0.9), fill=0)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


class Service:
    """A running service: where it is, its process, and what it wrote."""

    def __init__(self, process, port, folder):
        self.process, self.port, self.folder = process, port, folder
        self.url = f"http://127.0.0.1:{port}"

    def log(self):
        """The lines of its log that are whole."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.endswith("}")]

    def get(self, path, **options):
        return requests.get(f"{self.url}{path}", timeout=60, **options)

    def read(self, content=None, query="", **options):
        """The answer to one picture, or to what else `options` say."""
        return requests.post(f"{self.url}/read{query}", data=content, timeout=100, **options)

    def metric(self, name):
        """A sample of its metrics; 0 where it is not counted yet."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def raw(self, request):
        """Everything that the service answers to these bytes until it closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def processes(self):
        """The ids of its processes, its own first, from Linux's /proc."""
        found = [self.process.pid]
        for pid in found:  # which grows
            for thread in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += map(int, thread.read_text().split())
        return found

    def memory(self):
        """MB of all its processes; what several of them share, such as libraries, counts once (Linux's Pss)."""
        return sum(map(proportional, self.processes()))

    @contextmanager
    def watched(self):
        """The most memory that it has meanwhile: a list of one number in MB."""
        most, done = [self.memory()], threading.Event()

        def watch():
            while not done.wait(0.05):
                most[0] = max(most[0], self.memory())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield most
        finally:
            done.set()
            thread.join()


def proportional(pid):
    """MB of a process; of memory that it shares with n others, a part of n + 1. 0 if it has ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:"))
    return 0


def status(answer):
    """The status of an answer's bytes; None where there are none."""
    return int(answer.split(b" ", 2)[1]) if answer else None


def post(content, length=None, extra=b""):
    """The bytes of a request that ends the connection."""
    length = len(content) if length is None else length
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n".encode()
    return head + extra + b"\r\n" + content


@contextmanager
def served(folder, model, *arguments, limits="", workers=1, before="", environment=None):
    """A service on a free port; with keywords of Limits by a script instead of `-m`.

    Each of its processes runs the lines of `before` first, because Python imports a module of this name at its start.
    """
    temporary, first = folder / "temporary", folder / "first"
    for path in (temporary, first):
        path.mkdir(exist_ok=True)
    (first / "sitecustomize.py").write_text(before)
    command = [sys.executable, "-m", "apps.serve", "--port", "0", "--model", str(model), *arguments]
    if limits:
        script = folder / "started.py"
        script.write_text(WITH_LIMITS.format(limits=limits, workers=workers))
        command = [sys.executable, str(script), "--model", str(model)]
    variables = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": f"{first}{os.pathsep}{ROOT}"}
    variables |= environment or {}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = process.stdout.readline()
        assert re.fullmatch(r"read at http://\S+/ \(Ctrl-C ends it\)\n", line), (folder / "log").read_text()
        yield Service(process, int(line.split(":")[2].split("/")[0]), folder)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def eventually(condition, seconds=60):
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
