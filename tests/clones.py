"""Clones of this project in temporary folders, on a small data set, driven by the real dvc and git."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.digits import write_idx_folder

ROOT = Path(__file__).parents[1]
MODEL = "models/MNIST_keras_CNN.h5"
STAGES = tuple(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
SMALL = [
    {"Conv2D": {"filters": 8, "kernel_size": 5, "strides": 2}},
    {"BatchNormalization": {}},
    {"ReLU": {}},
    {"MaxPooling2D": {"pool_size": 2}},
    {"Flatten": {}},
    {"Dropout": {"rate": 0.1}},
    {"Dense": {"activation": "softmax"}},
]
QUICK = {
    "epochs": 8,
    "batch_size": 16,
    "optimizer": {"Adam": {}},
    "learning_rate": 0.01,
    "validation_split": 0.1,
}


class Clone:
    """A Git and DVC repository in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        author = {
            f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        self.environment = os.environ | author | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as for most users

    def start(self, *command):
        """Start a command in the clone, in a process group of its own, stdout and stderr in pipes."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, start_new_session=True, **pipes
        )

    def run(self, *command):
        """Run a command in the clone; what it printed on stdout. Fails where the command fails."""
        process = self.start(*command)
        output, errors = process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}: exit {process.returncode}\n{output}\n{errors}"
        return output

    def commit(self, message):
        """Commit everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def edit(self, change, name="params.yaml"):
        """Change a YAML file of the clone in place, comments kept."""
        yaml, path = YAML(), self.folder / name
        content = yaml.load(path)
        change(content)
        yaml.dump(content, path)

    def copy(self, parent):
        """A copy in `parent`, with the cache and with the remote beside it."""
        shutil.copytree(self.folder.parent, parent, symlinks=True, dirs_exist_ok=True)
        return Clone(parent / self.folder.name)


def repository(folder):
    """An empty Git and DVC repository in `folder`."""
    clone = Clone(folder)
    folder.mkdir(exist_ok=True)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.run("dvc", "init", "--quiet")
    return clone


def small_clone(parent):
    """The working tree of this project as a fresh repository in `parent`, set to a small data set of real digits."""
    clone = Clone(parent / "clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists() and not name.startswith(("metrics/", "released/")) and not name.endswith("dvc.lock"):
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone.folder / name, follow_symlinks=False)  # of studies/code
    digests = write_idx_folder(parent / "digits", gz=True)

    dataset = {"classes": [str(digit) for digit in range(10)], "sources": ["file:../digits"], "sha256": digests}
    write_yaml(clone.folder / "datasets/digits.yaml", dataset)

    def small(recipe):
        recipe.update(recipe="small", dataset="digits", train=QUICK, model=SMALL)

    clone.edit(small)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit("small data set")
    return clone


def write_yaml(path, content):
    """Write plain data as YAML."""
    YAML().dump(content, path)


def stages_run(output):
    """The stages of the main pipeline whose commands dvc ran, in order."""
    return [stage for stage in STAGES if f"Running stage '{stage}'" in output]


def read_json(clone, name):
    """What a JSON file of a clone holds."""
    return json.loads((clone.folder / name).read_text(encoding="utf-8"))


def digest(clone, name=MODEL):
    """SHA-256 of a file of a clone."""
    return hashlib.sha256((clone.folder / name).read_bytes()).hexdigest()
