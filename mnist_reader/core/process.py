"""The process that a program runs in: its standard streams, the signals that end it, and the cores it may use."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")  # SIGHUP is a terminal that is closed; Windows has none
POLL = 0.5  # seconds
AGAIN = 20.0  # seconds in which what was begun is cleared away
STDERR = 2  # its file descriptor


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def address_space() -> float:
    """Gigabytes of address space that this process may use; infinite where nothing limits it."""
    with suppress(ImportError):  # Windows has neither the module nor the limit
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        return math.inf if limit == resource.RLIM_INFINITY else limit / 1e9
    return math.inf


def end_with_parent() -> None:
    """Send this process SIGTERM when the process that has started it is gone.

    Killed alone, DVC would leave its stage behind, which would go on and write its results some day.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def open_streams() -> None:
    """Open standard streams that the caller has closed on the null device; no other file then gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Exit with a line where a signal would end the process at once, so that no half-written file is left behind.

    Signals that are ignored, as `nohup` does, stay so. The signal comes again after AGAIN, because native code may
    swallow the exception: NumPy does, when Keras makes an array of a tensor at the end of each step.
    """
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():  # where Python sets no handlers
        numbers = []

    ended, timers = -math.inf, []

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        if time.monotonic() - ended < AGAIN:
            return
        ended = time.monotonic()
        timers.append(threading.Timer(AGAIN + POLL, os.kill, (os.getpid(), number)))
        timers[-1].daemon = True
        timers[-1].start()
        sys.exit(f"error: ended by {signal.Signals(number).name}")

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def flush_output() -> None:
    """Write what Python still holds of standard output.

    Raises:
        OSError: it cannot be written, and is dropped.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        drop_output()
        error.filename = "standard output"
        raise


def drop_output() -> None:
    """Drop what cannot be written to standard output, of which Python would complain at its exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
