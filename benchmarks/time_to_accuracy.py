"""How long each training needs to 99.0 % and to 99.5 % of the test images: this project's pairs beside published ones.

Each run is a fresh process on all cores, seeds 0, 1, …; contenders take turns. The clock starts with the training,
counts tracing and compilation, and stands while the test images are predicted after each epoch. PyTorch's contenders
take part where `torch` is installed (`pip install torch`).

Reads:  data/csv/; params `architectures`, `trainings`
Writes: benchmarks/time_to_accuracy.json, or with --avx2 benchmarks/time_to_accuracy_avx2.json
Run:    python -m benchmarks.time_to_accuracy; --avx2 keeps from all what a processor without AVX-512 does not have
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from benchmarks.report import report
from mnist.core.errors import run

TARGETS = (0.99, 0.995)
ROUNDS = {  # how often each contender runs, the long ones once; the median counts
    "fast": 10,
    "train_mnist_fast": 10,
    "brisk": 5,
    "keras_docs": 3,
    "default": 1,
    "pytorch_example": 1,
    "kj7kunal": 1,
    "haque": 1,
}
SHORT = ("fast", "train_mnist_fast", "brisk")  # what takes part with --avx2
TORCH = {"train_mnist_fast", "pytorch_example"}
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # TensorFlow's and PyTorch's kernels
Epochs = list[dict[str, float]]  # seconds so far and accuracy after each epoch


def epochs(name: str, seed: int, environment: dict[str, str]) -> Epochs:
    """One training, up to the epoch that reaches the last target."""
    command = [sys.executable, "-m", "benchmarks.contenders", name, str(seed), str(TARGETS[-1])]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | environment).stdout
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    print(f"{name}, seed {seed}: {lines[-1]['accuracy']:.2%} after {lines[-1]['seconds']:.1f} s", file=sys.stderr)
    return lines


def seconds(lines: Epochs, target: float) -> float | None:
    """When a training reached the target."""
    return next((line["seconds"] for line in lines if line["accuracy"] >= target), None)


def row(name: str, runs: list[Epochs]) -> dict[str, Any]:
    """The contender's line of the table.

    The median of the seconds to a target counts a run that missed it with its whole training, so it is a lower bound;
    there is none where every run missed it.
    """
    found: dict[str, Any] = {"contender": name, "runs": len(runs)}
    for target in TARGETS:
        reached = [seconds(lines, target) for lines in runs]
        times = [lines[-1]["seconds"] if when is None else when for lines, when in zip(runs, reached, strict=True)]
        count = len(runs) - reached.count(None)
        found[f"reached_{target:.1%}"] = count
        found[f"seconds_to_{target:.1%}"] = statistics.median(times) if count else None
    return found | {"last_accuracy": statistics.mean(lines[-1]["accuracy"] for lines in runs)}


def main() -> None:
    """Train everything, in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("--avx2", action="store_true", help="the short ones alone, with the kernels for AVX2")
    avx2 = parser.parse_args().avx2
    names = [name for name in (SHORT if avx2 else ROUNDS) if name not in TORCH or find_spec("torch")]
    runs: dict[str, list[Epochs]] = {name: [] for name in names}
    for seed in range(max(ROUNDS.values())):
        for name in names:
            if seed < ROUNDS[name]:
                runs[name].append(epochs(name, seed, AVX2 if avx2 else {}))
    report("time_to_accuracy_avx2" if avx2 else "time_to_accuracy", [row(name, runs[name]) for name in names])


if __name__ == "__main__":
    run(main)
