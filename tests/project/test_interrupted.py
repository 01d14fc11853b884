"""A training that is killed goes on and ends in the bytes of one that was not."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.clones import QUICK, digest

pytestmark = pytest.mark.slow


def test_a_training_killed_five_times_goes_on_and_ends_in_the_same_bytes(reproduced, tmp_path):
    long = dict(QUICK, epochs=40)
    fresh = reproduced.copy(tmp_path / "fresh")
    fresh.edit(lambda recipe: recipe.update(train=long))
    start = time.monotonic()
    fresh.run("dvc", "repro", "train")
    whole = time.monotonic() - start

    clone = reproduced.copy(tmp_path / "killed")
    clone.edit(lambda recipe: recipe.update(train=long))
    process, moments, resumed = clone.start("dvc", "repro", "train"), random.Random(0), 0
    while not list(clone.folder.glob("models/checkpoints/train/*.npz")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    for _ in range(4):
        process = clone.start("dvc", "repro", "train")
        try:
            process.wait(timeout=moments.uniform(0, whole / 2))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        resumed += "going on after epoch" in process.communicate()[0]
    resumed += "going on after epoch" in clone.run("dvc", "repro", "train")
    assert digest(clone) == digest(fresh)
    assert resumed > 0
