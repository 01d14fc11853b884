"""The commands `mnist-serve` and `mnist-collect`, which run the programs of the clone that they were installed from.

The clone's packages have names that others own, such as `mnist`. So they are not installed: its folder is put on the
path of the command's own process.
"""

import sys
from pathlib import Path
from runpy import run_module


def serve() -> None:
    """The page and the HTTP service: `python -m apps.serve`."""
    _run("apps.serve")


def collect() -> None:
    """A data set of your own pictures: `python -m apps.collect`."""
    _run("apps.collect")


def _run(module: str) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    run_module(module, run_name="__main__", alter_sys=True)
