"""Which operations of TensorFlow a step of the default training spends its time on, and how near it comes to the peak.

The peak is that of a product of large matrices on the same cores, in the same run.

Reads:  data/csv/train.csv; params `architectures`, `trainings`
Writes: benchmarks/step.json
Run:    python -m benchmarks.step
"""

import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.params import load_params
from mnist.core.paths import TRAIN_CSV
from mnist.core.table import read_csv
from mnist.learning.backend import keras, settings, tf
from mnist.learning.ensemble import trained

FIRST = 5  # step that is watched; before it, TensorFlow traces
STEPS = 60
SHOWN = 12  # kinds of operations; the others are added up
SIDE = 2048  # of the matrices
OPERATION = re.compile(r"[^:]+:(?:_Mkl(?:Native)?)?(\w+)")  # the profiler's `name:kind`


@settings()
def main() -> None:
    """Train for a few steps under TensorFlow's profiler."""
    pair = load_params().pair().members()[0]  # of an ensemble, one network
    data = read_csv(TRAIN_CSV, len(pair.classes), pair.shape)
    with tempfile.TemporaryDirectory() as folder:
        profile = Profile(folder)
        with trained(pair, data, Path(folder, "checkpoints"), [profile]) as (model, _):
            spent = kinds(folder)
    rate, peak = flops(model) * pair.settings.batch_size / profile.seconds, peak_rate()
    step = {"operation": "the step", "milliseconds": 1000 * profile.seconds, "share": None, "gigaflops": rate / 1e9}
    product = {"operation": "product of matrices", "milliseconds": None, "share": None, "gigaflops": peak / 1e9}
    report("step", [*table(spent), step, product])


class Profile(keras.callbacks.Callback):
    """Let TensorFlow's profiler watch STEPS steps of a training, and end it; `seconds` is what one took."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder, self.began, self.seconds = folder, 0.0, 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == FIRST:
            tf.profiler.experimental.start(self.folder, tf.profiler.experimental.ProfilerOptions(host_tracer_level=2))
            self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == FIRST + STEPS - 1:
            self.seconds = (time.perf_counter() - self.began) / STEPS
            tf.profiler.experimental.stop()
            self.model.stop_training = True


def kinds(folder: str) -> Counter[str]:
    """Picoseconds of each kind of operation, over all steps and threads; what one calls is not counted twice."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = Path(folder).rglob("*.xplane.pb")
    spent: Counter[str] = Counter()
    for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines if "CPU" in plane.name else ():
            events = [(event.offset_ps, event.duration_ps, names[event.metadata_id]) for event in line.events]
            for name, picoseconds in own_time(events):
                if operation := OPERATION.fullmatch(name):
                    spent[operation[1]] += picoseconds
    return spent


def own_time(events: list[tuple[int, int, str]]) -> Iterator[tuple[str, int]]:
    """(name, duration without that of the events within) of one thread's events (start, duration, name)."""
    enclosing: list[tuple[int, str]] = []  # (end, name)
    for start, duration, name in sorted(events, key=lambda event: (event[0], -event[1])):
        while enclosing and enclosing[-1][0] <= start:
            enclosing.pop()
        if enclosing:
            yield enclosing[-1][1], -duration
        yield name, duration
        enclosing.append((start + duration, name))


def table(spent: Counter[str]) -> list[dict[str, Any]]:
    """A row for each of the kinds that take longest, and one for the rest; shares are of all operations' time."""
    total, longest = sum(spent.values()), spent.most_common(SHOWN)
    longest.append(("others", total - sum(picoseconds for _, picoseconds in longest)))
    return [
        {"operation": kind, "milliseconds": part / STEPS / 1e9, "share": part / total, "gigaflops": None}
        for kind, part in longest
    ]


def flops(model: keras.Model) -> float:
    """Floating-point operations that the training of one image takes in convolutions and dense layers."""
    operations = 0.0
    for number, layer in enumerate(layer for layer in model.layers if hasattr(layer, "kernel")):
        places = math.prod(layer.output.shape[1:-1])
        passes = 3 if number else 2  # forward, and the gradients of the kernel and of the input, unless it is the image
        operations += 2 * passes * places * math.prod(layer.kernel.shape)
    return operations


def peak_rate() -> float:
    """Floating-point operations a second of a product of large matrices."""
    a = tf.random.normal((SIDE, SIDE))
    product = tf.function(lambda: tf.reduce_sum(a @ a))
    product()
    times = []
    for _ in range(10):
        began = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(times)


if __name__ == "__main__":
    run(main)
