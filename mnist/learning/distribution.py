"""One training in several processes, by Keras' own distribution of data on its JAX backend.

Keras' environment variables say which processes take part: KERAS_DISTRIBUTION_JOB_ADDRESSES (of process 0),
KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID. Without them a process is alone.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from mnist.core.errors import UserError, first_line
from mnist.learning.backend import keras, quiet

NAMES = [f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")]


class DistributionError(UserError):
    """The processes of a training do not fit together."""


class Process(NamedTuple):
    """Which part of each batch this process takes."""

    number: int = 0
    processes: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes the results."""
        return self.number == 0


def process() -> Process:
    """This process, as the environment says.

    Raises:
        DistributionError: some of the variables are missing, or no numbers.
    """
    given = {name: os.environ[name] for name in NAMES if name in os.environ}
    if not given:
        return Process()
    _, count, number = (given.get(name, "") for name in NAMES)
    if len(given) < len(NAMES) or not (count.isdecimal() and number.isdecimal() and int(number) < int(count)):
        found = ", ".join(f"{name}={value}" for name, value in given.items())
        raise DistributionError(f"expected {', '.join(NAMES)}, the last one less than the second; found {found}")
    return Process(int(number), int(count))


@contextmanager
def together() -> Iterator[None]:
    """Within, the processes that the environment names train one model; to be entered before anything is computed.

    An error ends this process at once, in one line, and thereby the others: JAX' own end would wait for those that are
    dead, for 100 seconds.

    Raises:
        DistributionError: Keras does not run on JAX.
    """
    if process().processes == 1:
        yield
        return
    if (found := keras.backend.backend()) != "jax":
        raise DistributionError(f"KERAS_BACKEND: expected jax for a training in several processes, found {found}")
    try:
        with quiet():
            keras.distribution.initialize()
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
        yield
    except UserError as error:
        _end(str(error))
    except KeyboardInterrupt:
        _end("interrupted")
    except Exception as error:  # whatever JAX makes of a connection that is gone
        _end(f"a process of this training has ended; start all of them again to go on: {first_line(error)[:80]}")


def _end(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    os._exit(1)


@contextmanager
def apart() -> Iterator[None]:
    """Within, Keras places new variables in this process alone: what one process does without the others."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def require_same(what: str, value: int) -> None:
    """Raise DistributionError where the processes have different values of what they must share."""
    if process().processes == 1:
        return
    from jax.experimental import multihost_utils

    values = multihost_utils.process_allgather(keras.ops.array(value)).tolist()
    if len(set(values)) > 1:
        raise DistributionError(f"{what}: expected the same in every process, found {values}; do they share a folder?")
