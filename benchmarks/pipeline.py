"""Where the seconds of a cold `dvc repro` go: for each stage import, read, fit, compute and write; the rest is DVC's.

Clones this repository's HEAD into an empty folder, has DVC start each stage by benchmarks.phases, and reproduces; of
several such runs, the table is that of the one whose time without the training is the median.

Writes: benchmarks/pipeline.json
Run:    python -m benchmarks.pipeline
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.phases import PHASES
from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.files import read_json

RUNS = 3


def main() -> None:
    """Several cold runs."""
    runs = []
    for _ in range(RUNS):
        runs.append(cold_run())
        print(f"run {len(runs)} of {RUNS}: {runs[-1][-1]['total']:.1f} s without the training", file=sys.stderr)
    report("pipeline", sorted(runs, key=lambda rows: rows[-1]["total"])[RUNS // 2])


def cold_run() -> list[dict[str, Any]]:
    """Reproduce a fresh clone: a row of seconds for each stage, for DVC itself, and for their sums."""
    with tempfile.TemporaryDirectory() as scratch:
        clone, phases = Path(scratch, "clone"), Path(scratch, "phases")
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
        pipeline = clone / "dvc.yaml"
        text = pipeline.read_text(encoding="utf-8").replace("python -m stages.", "python -m benchmarks.phases stages.")
        pipeline.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        subprocess.run(
            ["dvc", "repro"], cwd=clone, env=os.environ | {"PHASES": str(phases)}, check=True, stdout=sys.stderr
        )
        total = time.perf_counter() - start
        seconds = {stage: read_json(phases / f"stages.{stage}.json") for stage in yaml.safe_load(text)["stages"]}
    rows = [{"stage": stage, **spent, "total": sum(spent.values())} for stage, spent in seconds.items()]
    sums = {name: sum(row[name] for row in rows) for name in (*PHASES, "total")}
    nothing = dict.fromkeys(PHASES)
    rows.append({"stage": "dvc", **nothing, "total": total - sums["total"]})
    rows.append({"stage": "all", **sums, "total": total})
    rows.append({"stage": "all but fit", **nothing, "total": total - sums["fit"]})
    return [row | {"times_fit": row["total"] / sums["fit"]} for row in rows]


if __name__ == "__main__":
    run(main)
