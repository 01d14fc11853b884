"""A Dask scheduler and workers as processes of their own on loopback, under TLS, and a wire to it that can be cut."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import psutil

from tests.clones import ROOT


def certificate(folder):
    """Environment variables with which Dask speaks TLS alone, by one certificate of its own."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=test", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    names = {"CA_FILE": cert}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        names |= {f"{role}__CERT": cert, f"{role}__KEY": key}
    tls = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in names.items()}
    return tls | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


class Wire:
    """A port that leads to another one, until it is cut; new connections pass again."""

    def __init__(self, port):
        self.target, self.ends = port, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source, target):
        with suppress(OSError):
            while data := source.recv(2**16):
                target.sendall(data)
        self._end(source, target)

    def _end(self, *ends):
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """End every connection that there is."""
        self._end(*self.ends)

    def close(self):
        """Take the wire away."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.cut()
        for end in [self.server, *self.ends]:
            end.close()


@contextmanager
def scheduler(folder, workers):
    """(address behind a wire, the wire, environment of a client) of a scheduler with so many workers under TLS."""
    environment = os.environ | certificate(folder) | {"PYTHONPATH": str(ROOT)}
    log = folder / "scheduler.log"
    dask = [sys.executable, "-m", "dask"]
    processes = [
        _start(
            [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"],
            log,
            environment,
        )
    ]
    until(lambda: "Scheduler at" in log.read_text())
    wire = Wire(int(re.search(r"Scheduler at:\s+tls://127.0.0.1:(\d+)", log.read_text())[1]))
    try:
        address = f"tls://127.0.0.1:{wire.port}"
        for index in range(workers):
            command = ["sh", "-c", 'while :; do "$@"; sleep 1; done', "sh"]  # started again, as Kubernetes would
            command += [*dask, "worker", address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard"]
            command += ["--local-directory", str(folder / "space")]
            processes.append(_start(command, folder / f"worker{index}.log", environment))
        yield address, wire, environment
    finally:
        for process in processes[::-1]:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        wire.close()


def _start(command, log, environment):
    with log.open("w") as file:
        return subprocess.Popen(
            command, env=environment, stdout=file, stderr=file, cwd=log.parent, start_new_session=True
        )


def until(happens, seconds=120):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
    return found


def working(pid, words):
    """The processes below `pid` whose command line holds these words."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found


def worker_of(process):
    """The worker of Dask's in which a process was started."""
    with suppress(psutil.Error):
        return next((each for each in process.parents() if "spawn_main" in " ".join(each.cmdline())), None)
