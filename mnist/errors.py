"""Errors for people: one line, no traceback, non-zero exit."""

import difflib
import gc
import sys
from collections.abc import Callable, Iterable


class PipelineError(Exception):
    """A mistake that the user can mend; its text names the file or parameter, expected and found."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name most like `name`, or nothing."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""


def run(main: Callable[[], None]) -> None:
    """Run a program's `main` as the last act of its process; an error that a user can cause becomes one line each."""
    try:
        main()
    except PipelineError as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except OSError as error:
        sys.exit(f"error: {error.filename or 'operating system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")
    finally:
        gc.freeze()  # collecting TensorFlow's objects at exit takes a second for nothing
