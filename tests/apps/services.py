"""Real services on loopback ports, for the tests of apps.serve; a small model, pictures, and raw requests."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

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
from apps.serve.__main__ import serve
from apps.serve.settings import Limits, Settings
from mnist.core.errors import run
{before}
if __name__ == "__main__":
    run(lambda: serve(Settings(Path(sys.argv[2]), port=0, limits=Limits({limits}))))
"""


def write_model(path, about=ABOUT):
    """A model of WEIGHTS as ONNX, which says `about` of itself."""
    linear.write_model(path, WEIGHTS)
    linear.describe(path, {name: json.dumps(value) for name, value in about.items()})
    return path


def bar(form="PNG", side=100, mode="L"):
    """A picture of a 1: a dark bar on white paper."""
    image = Image.new(mode, (side, side), "white")
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
        """The lines of its access log that are whole, as they are."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.endswith("}")]

    def connect(self):
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, request):
        """Everything that the service answers to these bytes until it closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return received(connection)

    def memory(self, field="VmRSS"):
        """MB, from Linux's /proc."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(field))


def received(connection):
    """All bytes until the other side closes; a reset ends them as well."""
    content = bytearray()
    try:
        while piece := connection.recv(65536):
            content += piece
    except ConnectionResetError:
        pass
    return bytes(content)


def status(answer):
    """The status of an answer's bytes; None where there are none."""
    return int(answer.split(b" ", 2)[1]) if answer else None


def post(content, length=None, path="/read", extra=b""):
    """The bytes of a request that ends the connection."""
    length = len(content) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n".encode()
    return head + extra + b"\r\n" + content


@contextmanager
def served(folder, model, *arguments, limits=None, before="", environment=None):
    """A service on a free port; with `limits`, keywords of Limits as text, by a script instead of the command line."""
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    if limits is None and not before:
        command = [sys.executable, "-m", "apps.serve", "--port", "0", "--model", str(model), *arguments]
    else:
        script = folder / "started.py"
        script.write_text(WITH_LIMITS.format(limits=limits or "", before=before))
        command = [sys.executable, str(script), "--model", str(model)]
    variables = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)} | (environment or {})
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("read at http://"), (line, (folder / "log").read_text())
        assert line.endswith("/ (Ctrl-C ends it)\n")
        yield Service(process, int(line.split(":")[2].split("/")[0]), folder)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def eventually(condition, seconds=30):
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
