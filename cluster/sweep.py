"""Run experiments on many machines: Dask hands them out, Git and DVC keep the only record.

Each experiment is one task: clone the commit, `dvc exp run`, push. At the end all are pulled and listed, best first.
Experiments that the Git remote has already are not run again.

Run: python -m cluster.sweep -S training=fast,best -S seed=0,1,2,3
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from distributed import as_completed
from dvc.repo import Repo
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import get_hydra_sweeps

from cluster.engine import ClusterError, add_arguments, connected
from cluster.experiment import Experiment, finished, git, perform
from mnist.core.errors import first_line, run

TRIES = 3  # connections to the scheduler, where one is lost
COLUMNS = ("accuracy", "loss", "num_errors", "calibration_error")  # of metrics/evaluate.json


def main() -> None:
    """Run what the Git remote does not have, then list everything."""
    asked = parse()
    experiments = planned(asked.settings, asked.remote, asked.threads)
    done = finished(experiments[0].git)
    left = [experiment for experiment in experiments if experiment.ref not in done]
    print(f"{len(experiments)} experiments, {len(experiments) - len(left)} done before", flush=True)
    failed = run_all(left, asked) if left else 0
    done = finished(experiments[0].git)
    if arrived := [experiment for experiment in experiments if experiment.ref in done]:
        name, url = experiments[0].storage
        with Repo(config={"remote": {name: {"url": url}}}) as repo:
            repo.experiments.pull(asked.remote, [experiment.name for experiment in arrived], pull_cache=True)
        print_table(arrived)
    if failed:
        sys.exit(f"error: {failed} of {len(experiments)} experiments failed")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cluster.sweep", description="Run experiments on many machines.")
    parser.add_argument("-S", dest="settings", action="append", required=True, help="as for `dvc exp run --queue -S`")
    parser.add_argument("--remote", default="origin", help="Git remote that has the commit and gets the results")
    parser.add_argument("--threads", type=int, default=2, help="of each training (default: 2)")
    add_arguments(parser, workers=max(1, (os.cpu_count() or 1) // 2))
    return parser.parse_args()


def planned(settings: list[str], remote: str, threads: int) -> list[Experiment]:
    """The experiments that these settings stand for, of the commit that is checked out.

    Raises:
        ClusterError: it cannot be cloned from the remote as it is here, or DVC does not understand the settings.
    """
    if changed := git("status", "--porcelain", "--untracked-files=no"):
        raise ClusterError(f"{changed.split()[1]}: expected no change that is not committed, found one")
    commit = git("rev-parse", "HEAD")
    if not git("branch", "--remotes", "--list", f"{remote}/*", "--contains", commit):
        raise ClusterError(f"{commit[:7]}: expected this commit on the Git remote {remote}; `git push` brings it there")
    address = git("remote", "get-url", remote)
    try:
        sweeps = get_hydra_sweeps(to_path_overrides(settings))
    except Exception as error:  # hydra's and DVC's own
        raise ClusterError(f"-S {' -S '.join(settings)}: {first_line(error)}") from None
    address = str(Path(address).resolve()) if Path(address).exists() else address
    each = [tuple(f"{file}:{value}" for file, values in sweep.items() for value in values) for sweep in sweeps]
    return [Experiment(commit, values, address, storage(), threads) for values in each]


def storage() -> tuple[str, str]:
    """(name, absolute address) of DVC's default remote; DVC 3.67 finds no relative one from elsewhere."""
    with Repo() as repo:
        name = repo.config["core"].get("remote", "")
        if not name:
            raise ClusterError(".dvc/config: expected a default remote, found none")
        return name, repo.config["remote"][name]["url"]


def run_all(left: list[Experiment], asked: argparse.Namespace) -> int:
    """Run experiments and say of each how it ended; how many failed."""
    failed, started = 0, time.monotonic()
    for _ in range(TRIES):
        with connected(asked.scheduler, asked.workers) as client:
            futures = {client.submit(perform, each, key=each.name, pure=False): each for each in left}
            for future in as_completed(futures):
                if future.cancelled():  # the connection was lost
                    continue
                experiment = futures[future]
                left.remove(experiment)
                reason = str(first_line(future.exception()) if future.exception() else future.result())
                failed, reason = failed + bool(reason), f"failed: {reason}" if reason else "done"
                print(f"{time.monotonic() - started:6.0f} s ", experiment.shown, "", reason, flush=True)
        if not left:
            return failed
    raise ClusterError(f"{asked.scheduler}: expected a connection that lasts, lost it {TRIES} times")


def print_table(experiments: list[Experiment]) -> None:
    """Print the experiments with their metrics, the most accurate first."""
    rows = []
    for experiment in experiments:
        metrics = json.loads(git("show", f"{experiment.ref}:metrics/evaluate.json"))
        rows.append([*(metrics[column] for column in COLUMNS), experiment.name, experiment.shown])
    print("  ".join([f"{column:>{len(column)}}" for column in COLUMNS] + [f"{'experiment':16}", "settings"]))
    for row in sorted(rows, key=lambda row: -row[0]):
        figures = [f"{value:>{len(column)}.6g}" for column, value in zip(COLUMNS, row, strict=False)]
        print("  ".join([*figures, *row[len(COLUMNS) :]]))


if __name__ == "__main__":
    run(main)
