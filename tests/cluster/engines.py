"""A Dask scheduler and a worker as processes of their own on loopback, under TLS."""

import os
import re
import signal
import subprocess
import sys
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


@contextmanager
def scheduler(folder):
    """(address, process, variables of a client) of a scheduler that has one worker, under TLS."""
    tls, log = certificate(folder), folder / "scheduler.log"
    loopback = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    processes = [_start(["scheduler", *loopback, "--port", "0"], log, tls)]
    try:
        address = until(lambda: re.search(r"Scheduler at:\s+(tls://127.0.0.1:\d+)", log.read_text()))[1]
        space = ["--nthreads", "1", "--local-directory", str(folder / "space")]
        processes.append(_start(["worker", address, *loopback, *space], folder / "worker.log", tls))
        yield address, processes[0], tls
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _start(arguments, log, tls):
    command, environment = [sys.executable, "-m", "dask", *arguments], os.environ | tls | {"PYTHONPATH": str(ROOT)}
    with log.open("w") as file:
        return subprocess.Popen(
            command, env=environment, stdout=file, stderr=file, cwd=log.parent, start_new_session=True
        )


def until(happens, seconds=120):
    """Wait until something is so; what it is."""
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
    return found


def working(words, pid=None):
    """The processes, here or below `pid`, whose command line holds these words."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found
