"""An interrupted training goes on and ends in the same bytes; a checkpoint of another training is never taken."""

import os
import signal
import subprocess
import sys

import pytest

from mnist.learning.checkpoint import Checkpoint, code, key
from tests.conftest import ROOT, TINY, dataset_of
from tests.mnist.learning.conftest import Interrupted
from tests.mnist.learning.trainings import DATASET, quick, saved_training

pytestmark = pytest.mark.slow

ONE_CYCLE = quick()
CONSTANT = quick(schedule="constant", optimizer={"SGD": {"momentum": 0.9}}, validation_split=0.0)
MADE_UP = quick(label_smoothing=0.1, printed=0.2, penned=0.2, out_of_class=0.2, plain_epochs=2)
GOING_ON = "going on after epoch 1 of 3"


def interrupted_training(interrupt, recipe, data, folder, **arguments):
    """Break a training off after the next epoch; the path of its checkpoint."""
    interrupt(1)
    with pytest.raises(Interrupted):
        saved_training(recipe, data, folder, **arguments)
    (path,) = (folder / "checkpoints").iterdir()
    return path


@pytest.mark.parametrize("recipe", [ONE_CYCLE, CONSTANT, MADE_UP], ids=["one cycle", "constant", "made-up images"])
def test_a_training_interrupted_after_each_epoch_ends_in_the_same_bytes_and_tells_each_epoch(
    whole, data, interrupt, tmp_path, capfd, recipe
):
    told = []

    def record(history):
        told.append([row["epoch"] for row in history])

    for _ in range(3):
        interrupted_training(interrupt, recipe, data, tmp_path, on_epoch=record)
    assert GOING_ON in capfd.readouterr().out
    expected = whole(recipe)
    capfd.readouterr()
    assert saved_training(recipe, data, tmp_path, on_epoch=record) == expected
    assert capfd.readouterr().out == "going on after epoch 3 of 3\n"
    assert told == [[1], [1, 2], [1, 2, 3]]  # what was told before an interruption is told again after it


def test_layers_with_random_numbers_of_their_own_resume_exactly(whole, data, interrupt, tmp_path):
    random = [{"GaussianNoise": {"name": "noise", "stddev": 0.3}}, {"RandomRotation": {"name": "turn", "factor": 0.1}}]
    recipe = quick([*random, {"Flatten": {"name": "flat"}}, TINY[-1]], epochs=2, augmentation={}, validation_split=0.0)
    interrupted_training(interrupt, recipe, data, tmp_path)
    assert saved_training(recipe, data, tmp_path) == whole(recipe)


KILLED = """
import os, signal, sys
from pathlib import Path
from mnist.learning.checkpoint import Checkpoint
from tests import digits
from tests.mnist.learning.trainings import IMAGES, quick, saved_training

save = Checkpoint.save
def save_and_die(self, model, history):
    save(self, model, history)
    os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.save = save_and_die
saved_training(quick(), tuple(part[:IMAGES] for part in digits.load()), Path(sys.argv[1]))
"""


def test_a_killed_training_goes_on_in_another_process_and_ends_in_the_same_bytes(whole, data, tmp_path, capfd):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert saved_training(ONE_CYCLE, data, tmp_path) == whole(ONE_CYCLE)
    assert GOING_ON in capfd.readouterr().out


def test_a_finished_training_leaves_no_checkpoint_and_is_trained_anew(whole, data, tmp_path, capfd):
    for _ in range(2):
        assert saved_training(CONSTANT, data, tmp_path) == whole(CONSTANT)
        assert "going on" not in capfd.readouterr().out
        assert list((tmp_path / "checkpoints").iterdir()) == []


OTHERS = {
    "seed": quick(seed=1),
    "learning rate": quick(learning_rate=0.02),
    "warm-up": quick(warm_up=0.5),
    "batch size": quick(batch_size=8),
    "validation part": quick(validation_split=0.5),
    "epochs": quick(epochs=4),
    "augmentation": quick(augmentation={"shift": 1.0}),
    "plain epochs": quick(plain_epochs=1),
    "optimizer": quick(optimizer={"SGD": {}}),
    "optimizer's argument": quick(optimizer={"Adam": {"beta_1": 0.8}}),
    "pictures of no class": quick(out_of_class=0.1),
    "initial weights": quick(initial_weights={"file": "x.h5", "sha256": "0" * 64}),
    "rate of dropout": quick([*TINY[:-2], {"Dropout": {"name": "drop", "rate": 0.2}}, TINY[-1]]),
    "order of layers": quick([TINY[0], TINY[2], TINY[1], *TINY[3:]]),
    "name": ONE_CYCLE.model_copy(update={"recipe": "other"}),
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
def test_a_changed_setting_does_not_find_the_old_checkpoint_and_removes_it(data, tmp_path, changed):
    old = Checkpoint(tmp_path, ONE_CYCLE, DATASET, data).path
    old.write_bytes(b"old")
    assert Checkpoint(tmp_path, quick(), DATASET, data).path == old
    assert old.exists()
    assert Checkpoint(tmp_path, changed, DATASET, data).path != old
    assert list(tmp_path.iterdir()) == []


def test_other_data_or_classes_have_a_key_of_their_own(data):
    images, labels = data
    last = labels.copy()
    last[-1] ^= 1
    light = images.copy()
    light[-1, -1, -1] ^= 1
    same = key(ONE_CYCLE, dataset_of(title="Other"), (images.copy(), labels.copy()))
    assert same == key(ONE_CYCLE, DATASET, data)
    others = [
        key(ONE_CYCLE, DATASET, (light, labels)),
        key(ONE_CYCLE, DATASET, (images, last)),
        key(ONE_CYCLE, dataset_of("abcdefghij"), data),
        key(ONE_CYCLE, dataset_of(shape=(14, 56)), data),
    ]
    assert len({same, *others}) == 5


KEY = """
import numpy as np
from mnist.learning.backend import keras_session
from mnist.learning.checkpoint import key
from tests.conftest import dataset_of, recipe_of

with keras_session():
    print(key(recipe_of(), dataset_of(), (np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))))
"""


def key_elsewhere(*prefix, **variables):
    """The key that a process of its own finds, with these variables in its environment."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run(
        [*prefix, sys.executable, "-c", KEY], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_threads_kernels_and_cores_have_a_key_of_their_own_and_messages_and_the_hash_seed_have_not():
    core = str(min(os.sched_getaffinity(0)))
    others = [
        key_elsewhere(TF_NUM_INTRAOP_THREADS="1"),
        key_elsewhere(TF_ENABLE_ONEDNN_OPTS="0"),
        key_elsewhere(ONEDNN_MAX_CPU_ISA="SSE41"),
        key_elsewhere("taskset", "--cpu-list", core),
    ]
    same = {key_elsewhere(), key_elsewhere(PYTHONHASHSEED="1", TF_CPP_MIN_LOG_LEVEL="3", LC_ALL="C")}
    assert len(same) == 1
    assert len({*same, *others}) == 5


SOURCE = '''"""A module."""

def double(x: int) -> int:  # the sum
    """Twice x."""
    return x + x
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("  # the sum", "", True),
        ('    """Twice x."""\n', "", True),
        ("x + x", "(x\n        + x)", True),
        ("x + x", "x * x", False),
        ("x + x", "x + 1", False),
        ("double", "twice", False),
    ],
)
def test_only_what_python_runs_of_the_code_counts(old, new, same):
    assert (code(SOURCE.replace(old, new)) == code(SOURCE)) == same


def test_a_training_whose_checkpoint_is_damaged_starts_afresh(whole, data, interrupt, tmp_path, capfd):
    path = interrupted_training(interrupt, ONE_CYCLE, data, tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert saved_training(ONE_CYCLE, data, tmp_path) == whole(ONE_CYCLE)
    assert "damaged, so the training starts afresh" in capfd.readouterr().out
