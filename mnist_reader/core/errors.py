"""Errors for people: one line, no traceback, non-zero exit."""

import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.util import find_spec

LINES, WIDTH = 20, 300  # of an error's text, at most: Keras' own can fill screens


class UserError(Exception):
    """A user error; its text names the file or parameter, what was expected, what was found, and the way out."""


def first_line(error: Exception) -> str:
    """The first line that says what is wrong, without Keras' heading and colours and TensorFlow's name of a kernel."""
    lines = re.sub(r"\x1b\[[0-9;]*m|\{\{function_node \S*\}\} ", "", str(error)).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("Exception encountered")), repr(error))


def _report() -> str:
    """Write the traceback of the error that is being handled to a new file; give its name."""
    with tempfile.NamedTemporaryFile("w", prefix="mnist-error-", suffix=".txt", delete=False) as file:
        traceback.print_exc(file=file)
    return file.name


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`; an error ends the process in one line.

    A `UserError` becomes its own lines, at most LINES of WIDTH characters; an `OSError` names its file; anything
    unforeseen becomes one line that says where its traceback was written. The exit code is then 1.
    """
    try:
        main()
    except UserError as error:
        sys.exit("\n".join(f"error: {line[:WIDTH]}" for line in str(error).splitlines()[:LINES]))
    except OSError as error:
        sys.exit(f"error: {error.filename or 'operating system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")
    except MemoryError:
        sys.exit("error: expected more memory than this machine has left")
    except Exception as error:
        sys.exit(f"error: {type(error).__name__}: {first_line(error)[:WIDTH]}; please report it with {_report()}")


def require(program: str, file: str, *modules: str) -> None:
    """End the process in one line if a module that the program needs is not installed.

    Args:
        program: what the error calls it.
        file: the requirements file that lists the modules.
        modules: top-level names, such as `fastapi`.
    """
    if missing := [module for module in modules if find_spec(module) is None]:
        sys.exit(f"error: {program} needs {missing[0]}; run `pip install --require-hashes -r {file}`")
