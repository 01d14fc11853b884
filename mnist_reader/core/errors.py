"""Errors for people: one line, no traceback, non-zero exit."""

import argparse
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


def similar(name: str, names: Iterable[str]) -> list[str]:
    """The one of `names` that is most like `name`, or none."""
    return difflib.get_close_matches(name, list(names), n=1)


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name most like `name`, or nothing."""
    found = similar(name, names)
    return f"; did you mean '{found[0]}'?" if found else ""


def first_line(error: Exception) -> str:
    """The first line that says what is wrong, without Keras' heading and colours and TensorFlow's name of a kernel."""
    lines = re.sub(r"\x1b\[[0-9;]*m|\{\{function_node \S*\}\} ", "", str(error)).splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("Exception encountered")), repr(error))


def _report() -> str:
    """Write the traceback of the error that is being handled to a new file; give its name."""
    with tempfile.NamedTemporaryFile("w", prefix="mnist-error-", suffix=".txt", delete=False) as file:
        traceback.print_exc(file=file)
    return file.name


def run_stage(main: Callable[[], None]) -> None:
    """Run the stage that `python -m` has started: `--help` prints its docstring, and no other argument is taken."""
    module = sys.modules["__main__"]
    argparse.ArgumentParser(
        prog=f"python -m {module.__spec__.name if module.__spec__ else module.__name__}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Settings come from params.yaml alone; `dvc exp run -S architecture=fast` changes one for one run.",
    ).parse_args()
    run(main)


def run(main: Callable[[], None]) -> None:
    """Run a program's `main`, then end the process: it is the last call of the program.

    A `PipelineError` becomes its own lines, at most LINES of WIDTH characters; an `OSError` names its file; anything
    unforeseen becomes one line that says where its traceback was written. The exit code is then 1.
    """
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
