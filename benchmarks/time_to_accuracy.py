"""How long each training needs to 99.0 % and to 99.5 % of the test images: own recipes beside published ones.

Each run is a fresh process on all cores, seeds 0, 1, …; contenders take turns. PyTorch's contenders take part where
`torch` is installed.

Reads:  data/csv/, recipes/, datasets/mnist.yaml
Writes: benchmarks/time_to_accuracy.json, or with --avx2 benchmarks/time_to_accuracy_avx2.json
Run:    python -m benchmarks.time_to_accuracy; --avx2 keeps from all what a processor without AVX-512 does not have
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from statistics import mean, median
from typing import Any

from benchmarks.contenders import Epochs, train
from benchmarks.report import report
from mnist.core.errors import run

TARGETS = (0.99, 0.995)
SHORT = {"fast": 10, "train_mnist_fast": 10, "brisk": 5}  # how often each runs, the long ones once; the median counts
ROUNDS = SHORT | {"keras_docs": 3, "default": 1, "pytorch_example": 1, "kj7kunal": 1, "haque": 1}
TORCH = {"train_mnist_fast", "pytorch_example"}
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # TensorFlow's and PyTorch's kernels


def main() -> None:
    """Train everything, in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("--avx2", action="store_true", help="the short ones alone, with the kernels for AVX2")
    avx2 = parser.parse_args().avx2
    os.environ |= AVX2 if avx2 else {}
    names = [name for name in (SHORT if avx2 else ROUNDS) if name not in TORCH or find_spec("torch")]
    runs: dict[str, list[Epochs]] = {name: [] for name in names}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for seed in range(max(ROUNDS.values())):
            for name in [name for name in names if seed < ROUNDS[name]]:
                runs[name].append(pool.submit(train, name, seed, TARGETS[-1]).result())
    report("time_to_accuracy_avx2" if avx2 else "time_to_accuracy", [row(name, runs[name]) for name in names])


def row(name: str, runs: list[Epochs]) -> dict[str, Any]:
    """The contender's line of the table.

    The median of the seconds to a target counts a run that missed it with its whole training, so it is a lower bound;
    there is none where every run missed it.
    """
    found: dict[str, Any] = {"contender": name, "runs": len(runs)}
    for target in TARGETS:
        reached = [[seconds for seconds, accuracy in epochs if accuracy >= target] for epochs in runs]
        times = [(when or [epochs[-1][0]])[0] for when, epochs in zip(reached, runs, strict=True)]
        found[f"reached_{target:.1%}"] = sum(map(bool, reached))
        found[f"seconds_to_{target:.1%}"] = median(times) if any(reached) else None
    return found | {"last_accuracy": mean(epochs[-1][1] for epochs in runs)}


if __name__ == "__main__":
    run(main)
