"""Errors for people: one line, no traceback, non-zero exit."""

import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType

from mnist_reader.core.process import address_space, ending_by_signal, flush_output, open_streams

OLDEST = (3, 11)  # Python
LINES, WIDTH = 20, 300  # of an error's text, at most: Keras' own can fill screens


class UserError(Exception):
    """A user error; its text names the file or parameter, what was expected, what was found, and the way out."""


def first_line(error: BaseException) -> str:
    """The first line that says what is wrong, without Keras' heading and colours and TensorFlow's name of a kernel."""
    lines = re.sub(r"\x1b\[[0-9;]*m|\{\{function_node \S*\}\} ", "", str(error)).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("Exception encountered")), repr(error))


def printable(text: str) -> str:
    """A text in which control characters and undecodable bytes are escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def described(error: BaseException) -> str:
    """The lines that a program prints of an error that ends it, each after `error: `.

    A `UserError` becomes its own lines, at most LINES of WIDTH characters; an `OSError` names its file; anything
    unforeseen becomes one line that says where its traceback was written.
    """
    match error:
        case UserError():
            lines = [line[:WIDTH] for line in str(error).splitlines()[:LINES]]
        case OSError():
            lines = [f"{error.filename or 'operating system'}: {error.strerror or error}"]
        case KeyboardInterrupt():
            lines = ["interrupted"]
        case MemoryError():
            lines = ["expected more memory than this machine has left"]
        case _:
            said = first_line(error)[:WIDTH]
            lines = [f"{type(error).__name__}: {said}; please report it with {_report(error)}"]
    return "\n".join(f"error: {printable(line)}" for line in lines)


def _report(error: BaseException) -> str:
    """Write the traceback of an error to a new file; give its name."""
    with tempfile.NamedTemporaryFile("w", prefix="mnist-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    return file.name


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`; an error ends the process as `described` says, with exit code 1.

    SIGTERM and SIGHUP leave a line as well. Standard streams that are closed are opened on the null device.
    """
    open_streams()
    try:
        with ending_by_signal():
            main()
        flush_output()
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # libraries written in Rust panic with a BaseException
        sys.exit(described(error))


def require(program: str, file: str, *modules: str, memory: float = 0) -> None:
    """End the process in one line if something that the program needs is missing; the first thing that it does.

    From then on an error during its imports, which take seconds, is one line too.

    Args:
        program: what the error calls it.
        file: the requirements file that lists the modules.
        modules: top-level names, such as `fastapi`.
        memory: gigabytes of address space that the imports take; with less, TensorFlow aborts or hangs.
    """
    open_streams()
    sys.excepthook = _describe
    if sys.version_info < OLDEST:
        sys.exit(f"error: {program} needs Python {OLDEST[0]}.{OLDEST[1]} or newer, found {sys.version.split()[0]}")
    if missing := [module for module in modules if find_spec(module) is None]:
        sys.exit(f"error: {program} needs {missing[0]}; run `pip install --require-hashes -r {file}`")
    if (limit := address_space()) < memory:
        sys.exit(
            f"error: {program} needs {memory:g} GB of address space, found a limit of {limit:.1f}; see `ulimit -v`"
        )
    try:
        tempfile.gettempdir()
    except OSError as error:
        sys.exit(f"error: {program} needs a folder for temporary files: {error.strerror or error}")


def _describe(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(described(error), file=sys.stderr)
