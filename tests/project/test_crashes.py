"""A stage that is killed at a write, a rename or a flush loses nothing: strace kills it there.

CRASHES=40 in the environment asks for that many kills in each stage; CI tries a few.
"""

import os
import random
import re
import shutil
import subprocess
import sys

import pytest

from tests.clones import STAGES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]
CRASHES = int(os.environ.get("CRASHES", "2"))
BETWEEN = 5  # kills, before a run that is left alone
CALLS = "write,pwrite64,writev,ftruncate,fsync,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir"
FOLDERS = ("data/raw/", "data/csv/", "models/export/")  # replaced as a whole, which has a moment with neither


def everything(clone):
    """Bytes of every file that the pipeline can have written, by its path."""
    files = [path for name in ("data", "models", "metrics") for path in (clone.folder / name).rglob("*")]
    return {str(path.relative_to(clone.folder)): path.read_bytes() for path in files if path.is_file()}


def is_so_far(path, found, before):
    """Whether it is the history of the epochs so far, which the train stage writes after each."""
    return path == "metrics/history.csv" and path in found and before[path].startswith(found[path])


def traced(clone, stage, *options):
    """Run a stage under strace; its exit code and what strace wrote."""
    log = clone.folder.parent / "strace.log"
    command = [
        "strace",
        "-qq",
        "-o",
        str(log),
        "-e",
        f"trace={CALLS}",
        *options,
        sys.executable,
        "-m",
        f"stages.{stage}",
    ]
    done = subprocess.run(command, cwd=clone.folder, env=clone.environment, capture_output=True, text=True, check=False)
    return done.returncode, log.read_text(errors="replace")


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_at_a_system_call_leaves_whole_files_and_no_scratch_after_the_next_run(reproduced, tmp_path, stage):
    clone = reproduced.copy(tmp_path)
    for path in clone.folder.glob("models/checkpoints"):
        shutil.rmtree(path)
    clone.run("dvc", "unprotect", "data/raw", "data/csv", "models/MNIST_keras_CNN.h5", "models/export")
    before = everything(clone)
    code, log = traced(clone, stage)
    assert code == 0
    assert everything(clone) == before
    calls = [line for line in log.splitlines() if re.match(r"\w+\(", line)]
    moments = random.Random(stage).sample(range(1, len(calls) + 1), min(CRASHES, len(calls)))
    for number, moment in enumerate(moments, 1):
        name, _, _ = calls[moment - 1].partition("(")
        nth = sum(call.startswith(f"{name}(") for call in calls[:moment])
        kill = ("-e", f"inject={name}:signal=KILL:when={nth}")
        code, _ = traced(clone, stage, *kill)
        if (
            code == 0
        ):  # a training that went on from a checkpoint is over before that moment; the next one starts afresh
            assert everything(clone) == before
            code, _ = traced(clone, stage, *kill)
        assert code == -9, (name, nth)
        found = everything(clone)
        changed = [path for path in before if found.get(path) != before[path] and not is_so_far(path, found, before)]
        assert [path for path in changed if path in found or not path.startswith(FOLDERS)] == []
        if number % BETWEEN == 0 or number == len(moments):
            assert traced(clone, stage)[0] == 0
            assert everything(clone) == before
