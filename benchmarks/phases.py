"""Run one stage and write where its seconds went to $PHASES/<stage>.json; benchmarks.pipeline has DVC call it.

Run:    PHASES=folder python -m benchmarks.phases stages.train
"""

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

PHASES = ("import", "read", "fit", "compute", "write")
FUNCTIONS = {  # as the stages call them: whose time is not `compute`
    "read": {
        "load_params",
        "load_model",
        "read_csv",
        "read_probabilities",
        "read_json",
        "read_pairs",
        "fetch",
    },
    "fit": {"train"},
    "write": {"write_csv", "write_json", "save"},
}
ELSEWHERE = (
    "mnist.data.conversion",
    "mnist.data.figures",
    "mnist.learning.ensemble",
)  # where a stage finds others of them


class Clock:
    """Seconds of each phase. A phase that begins within another interrupts it."""

    def __init__(self, since: float) -> None:
        self.seconds, self.stack, self.since = dict.fromkeys(PHASES, 0.0), ["import"], since

    def charge(self) -> None:
        """Give the time since the last call to the phase on top."""
        now = time.time()
        self.seconds[self.stack[-1]] += now - self.since
        self.since = now

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens within to `name`."""
        self.charge()
        self.stack.append(name)
        try:
            yield
        finally:
            self.charge()
            self.stack.pop()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, and what it yields where it is a generator, charged to `name`."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.phase(name):
                result = function(*args, **kwargs)
            return self._each(name, result) if isinstance(result, Iterator) else result

        return call

    def _each(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.phase(name):
                item = next(items, self)
            if item is self:
                return
            yield item


def main() -> None:
    """Import the stage, put the clock around the functions it calls, run it."""
    clock = Clock(time.time() - time.process_time())  # counts Python's own start
    module = importlib.import_module(sys.argv[1])
    for place in filter(None, (module, *map(sys.modules.get, ELSEWHERE))):
        for phase, names in FUNCTIONS.items():
            for name in names & vars(place).keys():
                setattr(place, name, clock.timed(phase, getattr(place, name)))
    if "keras" in sys.modules:
        model = sys.modules["keras"].Model
        model.save = clock.timed("write", model.save)
    if "mnist.export.formats" in sys.modules:
        formats = sys.modules["mnist.export.formats"].FORMATS
        for name, form in formats.items():
            formats[name] = form._replace(write=clock.timed("write", form.write), load=clock.timed("read", form.load))
    with clock.phase("compute"):
        module.main()
    clock.charge()
    from mnist.core.files import write_json

    write_json(Path(os.environ["PHASES"], f"{sys.argv[1]}.json"), clock.seconds)


if __name__ == "__main__":
    main()
