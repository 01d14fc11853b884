"""How long each training needs to 99.0 % of the test images: this project's pairs beside published ones.

Each run is a fresh process on all cores, seeds 0, 1, …; contenders take turns. The clock starts with the training,
counts tracing and compilation, and stands while the test images are predicted after each epoch. PyTorch's contenders
take part where `torch` is installed (`pip install torch`).

Reads:  data/csv/; params `architectures`, `trainings`
Writes: benchmarks/time_to_accuracy.json
Run:    python -m benchmarks.time_to_accuracy
"""

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from benchmarks.report import report
from mnist.errors import run

TARGET = 0.99
ROUNDS = {  # how often each contender runs, the long ones once; the median counts
    "fast": 5,
    "train_mnist_fast": 5,
    "keras_docs": 3,
    "pytorch_example": 1,
    "default": 1,
    "kj7kunal": 1,
    "haque": 1,
}
TORCH = {"train_mnist_fast", "pytorch_example"}


def epochs(name: str, seed: int) -> list[dict[str, float]]:
    """One training: seconds so far and accuracy after each epoch, up to the one that reaches the target."""
    command = [sys.executable, "-m", "benchmarks.contenders", name, str(seed), str(TARGET)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    print(f"{name}, seed {seed}: {lines[-1]['accuracy']:.2%} after {lines[-1]['seconds']:.1f} s", file=sys.stderr)
    return lines


def row(name: str, runs: list[list[dict[str, float]]], fast: float) -> dict[str, Any]:
    """The contender's line of the table; its seconds are a lower bound where not every run reached the target."""
    last = [lines[-1] for lines in runs]
    seconds = statistics.median(line["seconds"] for line in last)
    return {
        "contender": name,
        "runs": len(runs),
        "reached": sum(line["accuracy"] >= TARGET for line in last),
        "seconds": seconds,
        "times_fast": seconds / fast,
        "epochs": statistics.median(map(len, runs)),
        "mean_accuracy": statistics.mean(line["accuracy"] for line in last),
    }


def main() -> None:
    """Train everything, in turns."""
    names = [name for name in ROUNDS if name not in TORCH or find_spec("torch")]
    runs: dict[str, list[list[dict[str, float]]]] = {name: [] for name in names}
    for seed in range(max(ROUNDS.values())):
        for name in names:
            if seed < ROUNDS[name]:
                runs[name].append(epochs(name, seed))
    fast = statistics.median(lines[-1]["seconds"] for lines in runs["fast"])
    report("time_to_accuracy", [row(name, runs[name], fast) for name in names])


if __name__ == "__main__":
    run(main)
