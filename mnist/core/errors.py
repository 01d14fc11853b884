"""Errors in one line, as `mnist_reader.core.errors` has them, with the nearest known name and for stages."""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable

from mnist_reader.core.errors import LINES, WIDTH, UserError, first_line, printable, run

__all__ = ["LINES", "WIDTH", "UserError", "first_line", "nearest", "printable", "run", "run_stage", "similar"]


def similar(name: str, names: Iterable[str]) -> list[str]:
    """The one of `names` that is most like `name`, or none."""
    return difflib.get_close_matches(name, list(names), n=1)


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name most like `name`, or nothing."""
    found = similar(name, names)
    return f"; did you mean '{found[0]}'?" if found else ""


def run_stage(main: Callable[[], None]) -> None:
    """Run the stage that `python -m` has started: `--help` prints its docstring, and no other argument is taken."""
    module = sys.modules["__main__"]
    argparse.ArgumentParser(
        prog=f"python -m {module.__spec__.name if module.__spec__ else module.__name__}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Settings come from params.yaml alone; `dvc exp run -S train.epochs=5` changes one for one run.",
    ).parse_args()
    run(main)
