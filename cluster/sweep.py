"""Run experiments on many machines: Dask hands them out, Git and DVC keep the only record.

Each experiment is one task: clone the commit, `dvc exp run`, push. At the end all are pulled and listed, best first.
Experiments that the Git remote has already are not run again.

Run: python -m cluster.sweep -S train.learning_rate=0.002,0.004 -S seed=0,1
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from distributed import Reschedule, get_worker
from dvc.repo import Repo
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import get_hydra_sweeps

from cluster.engine import add_arguments, completed, connected, count
from mnist.core.errors import UserError, first_line, run

SCRIPT = """
# When the worker dies, standard input ends; this line then kills the script and all that it has started.
exec 3<&0; (cat <&3 >/dev/null; kill -KILL 0) & exec 3<&- </dev/null
unset OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS  # Dask sets them in its workers
export DVC_NO_ANALYTICS=1 TF_NUM_INTRAOP_THREADS=$THREADS TF_NUM_INTEROP_THREADS=$THREADS
set -e
git clone --quiet --no-checkout "$ORIGIN" clone
cd clone
git checkout --quiet --detach "$COMMIT"
cat > .dvc/config.local <<END
[cache]
dir = $PWD/../../cache
['remote "$REMOTE"']
url = $STORAGE
END
dvc exp run --pull --name "$NAME" "$@"
dvc push  # before the record of the experiment, so that what is on record is whole
dvc exp push --no-cache --force origin "$NAME"
"""
TABLE = ["exp", "show", "--no-pager", "--only-changed", "--drop", "Created|train_|val_|accuracy_|cal|model|data"]
BEST_FIRST = ["--sort-by", "metrics/evaluate.json:accuracy", "--sort-order", "desc"]


def main() -> None:
    """Run what the Git remote does not have, then list everything."""
    asked = parse()
    place = place_of(asked.remote) | {"THREADS": str(asked.threads)}
    experiments = planned(asked.settings, place)
    left = missing(experiments, place)
    print(f"{len(experiments)} experiments, {len(experiments) - len(left)} done before", flush=True)
    if left:
        run_all({name: experiments[name] for name in left}, place, asked)
        left = missing(experiments, place)
    if arrived := [name for name in experiments if name not in left]:
        with Repo(config={"remote": {place["REMOTE"]: {"url": place["STORAGE"]}}}) as repo:
            repo.experiments.pull(asked.remote, arrived, pull_cache=True)
        subprocess.run([sys.executable, "-m", "dvc", *TABLE, *BEST_FIRST], check=True)
    if left:
        sys.exit(f"error: {len(left)} of {len(experiments)} experiments failed")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cluster.sweep", description="Run experiments on many machines.")
    parser.add_argument("-S", dest="settings", action="append", required=True, help="as for `dvc exp run --queue -S`")
    parser.add_argument("--remote", default="origin", help="Git remote that has the commit and gets the results")
    parser.add_argument("--threads", type=count, default=2, help="of each training (default: 2)")
    add_arguments(parser, workers=max(1, (os.cpu_count() or 1) // 2))
    return parser.parse_args()


def place_of(git_remote: str) -> dict[str, str]:
    """Where the experiments come from and go to, as variables of SCRIPT; a commit that is not there is refused."""
    if changed := git("status", "--porcelain", "--untracked-files=no"):
        raise UserError(f"{changed.split()[1]}: expected no change that is not committed, found one")
    commit = git("rev-parse", "HEAD")
    if not git("branch", "--remotes", "--list", f"{git_remote}/*", "--contains", commit):
        raise UserError(f"{commit[:7]}: expected this commit on the Git remote {git_remote}; `git push` it there")
    origin = git("remote", "get-url", git_remote)
    origin = str(Path(origin).resolve()) if Path(origin).exists() else origin
    with Repo() as repo:  # it makes addresses absolute: DVC 3.67 finds no relative one from elsewhere
        name = repo.config["core"].get("remote", "")
        if not name:
            raise UserError(".dvc/config: expected a default remote, found none")
        return {"COMMIT": commit, "ORIGIN": origin, "REMOTE": name, "STORAGE": repo.config["remote"][name]["url"]}


def planned(settings: list[str], place: dict[str, str]) -> dict[str, list[str]]:
    """The settings of each experiment by its name, which commit, settings and number of threads decide."""
    try:
        sweeps = get_hydra_sweeps(to_path_overrides(settings))
    except Exception as error:  # hydra's and DVC's own
        raise UserError(f"-S {' -S '.join(settings)}: {first_line(error)}") from None
    each = [[f"{file}:{value}" for file, values in sweep.items() for value in values] for sweep in sweeps]
    digests = [hashlib.sha256(json.dumps([values, place["THREADS"]]).encode()).hexdigest() for values in each]
    return {f"{place['COMMIT'][:7]}-{digest[:8]}": values for digest, values in zip(digests, each, strict=True)}


def missing(names: Iterable[str], place: dict[str, str]) -> list[str]:
    """The experiments that the Git remote does not have."""
    there = {line.rpartition("/")[2] for line in git("ls-remote", place["ORIGIN"], "refs/exps/*").splitlines()}
    return [name for name in names if name not in there]


def git(*arguments: str) -> str:
    """What git prints."""
    process = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if process.returncode:
        raise UserError(process.stderr.partition("\n")[0])
    return process.stdout.strip()


def run_all(experiments: dict[str, list[str]], place: dict[str, str], asked: argparse.Namespace) -> None:
    """Run experiments and say of each how it ended."""
    started = time.monotonic()
    with connected(asked.scheduler, asked.workers) as client:
        shown = {
            client.submit(perform, name, settings, place, key=name): " ".join(settings).replace("params.yaml:", "")
            for name, settings in experiments.items()
        }
        for future in completed(shown):
            error = first_line(future.exception()) if future.exception() else future.result()
            end = f"failed: {error}" if error else "done"
            print(f"{time.monotonic() - started:6.0f} s  {shown[future]}  {end}", flush=True)


def perform(name: str, settings: list[str], place: dict[str, str]) -> str:
    """Run one experiment in a clone of its own and push it; the line that says why it failed, or nothing."""
    if not missing([name], place):  # a worker that died afterwards has pushed it
        return ""
    worker = get_worker()
    key, path = worker.get_current_task(), f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    options = [word for setting in settings for word in ("-S", setting)]
    with tempfile.TemporaryDirectory(dir=worker.local_directory) as scratch:  # Dask removes it if the worker dies
        log = Path(scratch, "log")
        with subprocess.Popen(
            ["sh", "-c", f"exec >log 2>&1\n{SCRIPT}", "sh", *options],
            cwd=scratch,
            env=os.environ | place | {"NAME": name, "PATH": path},
            stdin=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            while process.poll() is None:
                task = worker.state.tasks.get(key)
                if task is None or task.state == "cancelled":
                    raise Reschedule  # nobody wants it here any more
                time.sleep(0.2)
        return reason(log.read_text(encoding="utf-8", errors="replace")) if process.returncode else ""


def reason(output: str) -> str:
    """The line of a failed script's output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    return next((line for line in lines if re.match("error:|fatal:|.* is invalid", line, re.IGNORECASE)), lines[-1])


if __name__ == "__main__":
    run(main)
