"""Where the seconds of a cold `dvc repro` go: each stage's, and those that DVC takes for itself.

Clones HEAD into an empty folder, gives the clone a recipe and has each stage note when its command starts and ends.

Reads:  HEAD, recipes/NAME.yaml
Writes: benchmarks/pipeline.json
Run:    python -m benchmarks.pipeline    (fast: 40 seconds); --recipe default: 8 minutes
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.paths import PARAMS, RECIPES

PIPELINE = "dvc.yaml"


def main() -> None:
    """Reproduce one clone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", default="fast", help="a file of recipes/, without .yaml")
    with tempfile.TemporaryDirectory() as folder:
        report("pipeline", cold_run(parser.parse_args().recipe, Path(folder)))


def cold_run(recipe: str, folder: Path) -> list[dict[str, Any]]:
    """Reproduce a fresh clone in an empty folder: a row of seconds for each stage, for DVC itself, and for the sum."""
    clone, noted = folder / "clone", folder / "noted"
    noted.mkdir()
    subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
    shutil.copyfile(clone / RECIPES / f"{recipe}.yaml", clone / PARAMS)
    pipeline = yaml.safe_load((clone / PIPELINE).read_text(encoding="utf-8"))
    for name, stage in pipeline["stages"].items():
        now = f"date +%s.%N >> {noted / name}"
        stage["cmd"] = [now, stage["cmd"], now]
    (clone / PIPELINE).write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
    start = time.perf_counter()
    subprocess.run(["dvc", "repro"], cwd=clone, check=True, stdout=sys.stderr)
    total = time.perf_counter() - start
    rows = [{"stage": name, "seconds": seconds(noted / name)} for name in pipeline["stages"]]
    dvc = total - sum(row["seconds"] for row in rows)
    return [*rows, {"stage": "DVC itself", "seconds": dvc}, {"stage": f"all, {recipe}", "seconds": total}]


def seconds(noted: Path) -> float:
    """Between the two times in a file."""
    start, end = map(float, noted.read_text().split())
    return end - start


if __name__ == "__main__":
    run(main)
