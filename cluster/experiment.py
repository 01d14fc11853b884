"""One experiment of a sweep, and the task that runs it."""

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from distributed import get_worker
from dvc.repo.experiments.refs import ExpRefInfo

from cluster.engine import ClusterError, finish, reason


class Experiment(NamedTuple):
    """One experiment, and where it comes from and goes to."""

    commit: str
    settings: tuple[str, ...]  # as `dvc exp run -S` takes them
    git: str  # address of the Git remote
    storage: tuple[str, str]  # name and address of the DVC remote
    threads: int  # of TensorFlow, on which the bytes of a model depend

    @property
    def name(self) -> str:
        """What DVC calls it; the same commit, settings and number of threads have the same name."""
        return f"{self.commit[:7]}-{hashlib.sha256(json.dumps([self.settings, self.threads]).encode()).hexdigest()[:8]}"

    @property
    def ref(self) -> str:
        """Where Git keeps it."""
        return str(ExpRefInfo(baseline_sha=self.commit, name=self.name))

    @property
    def shown(self) -> str:
        """The settings, as the user gave them."""
        return " ".join(setting.removeprefix("params.yaml:") for setting in self.settings)


def perform(experiment: Experiment) -> str:
    """The task: run one experiment in a working copy of its own and push it. Nothing, or why it failed."""
    if finished(experiment.git, experiment.ref):  # by a worker that died afterwards
        return ""
    space = Path(get_worker().local_directory)  # Dask removes it when the worker is dead
    with tempfile.TemporaryDirectory(dir=space) as scratch:
        folder, log = Path(scratch, "clone"), Path(scratch, "log")
        threads = {name: str(experiment.threads) for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
        environment = {"DVC_NO_ANALYTICS": "1"} | threads
        settings = [part for setting in experiment.settings for part in ("-S", setting)]
        for command in (
            ["git", "clone", "--quiet", "--no-checkout", experiment.git, str(folder)],
            ["git", "-C", str(folder), "checkout", "--quiet", "--detach", experiment.commit],
            ["dvc", "exp", "run", "--pull", "--name", experiment.name, *settings],
            ["dvc", "push", "--quiet"],  # before the record of it, so that what is on record is whole
            ["dvc", "exp", "push", "--quiet", "--no-cache", "--force", "origin", experiment.name],
        ):
            if command[0] == "dvc":
                name, url = experiment.storage
                local = f"[cache]\ndir = {space / 'cache'}\n['remote \"{name}\"']\nurl = {url}\n"
                (folder / ".dvc/config.local").write_text(local, encoding="utf-8")
            if finish(command, folder if folder.exists() else space, environment, log):
                return reason(log)
    return ""


def finished(address: str, pattern: str = "refs/exps/*") -> set[str]:
    """The experiments that a Git remote has, of all or of those whose place matches a pattern."""
    return {line.split("\t")[1] for line in git("ls-remote", address, pattern).splitlines()}


def git(*arguments: str) -> str:
    """What git prints.

    Raises:
        ClusterError: it fails.
    """
    process = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if process.returncode:
        raise ClusterError(process.stderr.strip().partition("\n")[0] or f"git {arguments[0]}: failed")
    return process.stdout.strip()
