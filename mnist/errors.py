"""Errors for people: one line, no traceback, non-zero exit."""

import difflib
import gc
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable

LINES, WIDTH = 20, 300  # of an error's text, at most: Keras' own can fill screens


class PipelineError(Exception):
    """A mistake that the user can mend; its text names the file or parameter, expected and found."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name most like `name`, or nothing."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""


def first_line(error: Exception) -> str:
    """The first line that says what is wrong, without Keras' heading and terminal colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("Exception encountered")), repr(error))


def _report() -> str:
    """Write the traceback of the error that is being handled to a new file; give its name."""
    with tempfile.NamedTemporaryFile("w", prefix="mnist-error-", suffix=".txt", delete=False) as file:
        traceback.print_exc(file=file)
    return file.name


def run(main: Callable[[], None]) -> None:
    """Run a program's `main` as the last act of its process; an error that a user can cause becomes one line each."""
    try:
        main()
    except PipelineError as error:
        sys.exit("\n".join(f"error: {line[:WIDTH]}" for line in str(error).splitlines()[:LINES]))
    except OSError as error:
        sys.exit(f"error: {error.filename or 'operating system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")
    except MemoryError:
        sys.exit("error: expected more memory than this machine has left")
    except Exception as error:
        sys.exit(f"error: {type(error).__name__}: {first_line(error)[:WIDTH]}; please report it with {_report()}")
    finally:
        gc.freeze()  # collecting TensorFlow's objects at exit takes a second for nothing
