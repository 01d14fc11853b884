"""What changes while a stage runs is never on record as what it has used."""

import shutil
import signal
import time

import psutil
import pytest

from tests.clones import MODEL, QUICK, digest

pytestmark = pytest.mark.slow
LONG = dict(QUICK, epochs=40)


def training(clone):
    """A `dvc repro` whose training has an epoch behind it."""
    process = clone.start("dvc", "repro", "train")
    while not list(clone.folder.glob("models/checkpoints/train/*.npz")):
        assert process.poll() is None
        time.sleep(0.05)
    return process


def changed_after_an_epoch(clone, change):
    """Train, and change something when an epoch is done: how `dvc repro` ends."""
    process = training(clone)
    change()
    _, errors = process.communicate()
    return process.returncode, errors


@pytest.fixture(scope="module")
def whole(reproduced, tmp_path_factory):
    """The SHA-256 of a training during which nothing changes."""
    clone = reproduced.copy(tmp_path_factory.mktemp("whole"))
    clone.edit(lambda recipe: recipe.update(train=LONG))
    clone.run("dvc", "repro", "train")
    return digest(clone)


@pytest.fixture
def clone(reproduced, tmp_path):
    """A clone that has a longer training before it."""
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda recipe: recipe.update(train=LONG))
    return clone


def test_a_setting_changed_during_the_training_fails_it_and_changed_back_it_ends_as_it_would_have(clone, whole):
    lock = (clone.folder / "dvc.lock").read_bytes()
    code, errors = changed_after_an_epoch(
        clone, lambda: clone.edit(lambda recipe: recipe["train"].update(learning_rate=0.02))
    )
    line = "error: params.yaml: train.learning_rate: expected no change while the train stage runs, found one; "
    assert code != 0
    assert line + "run `dvc repro` again" in errors.splitlines()
    assert not (clone.folder / MODEL).exists()
    assert (clone.folder / "dvc.lock").read_bytes() == lock
    clone.edit(lambda recipe: recipe["train"].update(learning_rate=0.01))
    assert "going on after epoch 40 of 40" in clone.run("dvc", "repro", "train")
    assert digest(clone) == whole


def test_code_changed_during_the_training_fails_it_and_a_comment_costs_no_second_training(clone, whole):
    file = clone.folder / "mnist/learning/feed.py"

    def comment():
        file.write_text(file.read_text(encoding="utf-8") + "# a remark\n", encoding="utf-8")

    code, errors = changed_after_an_epoch(clone, comment)
    assert code != 0
    assert "error: mnist/learning/feed.py: expected no change while the train stage runs" in errors
    assert "going on after epoch 40 of 40" in clone.run("dvc", "repro", "train")
    assert digest(clone) == whole


def test_what_the_stage_does_not_depend_on_may_change(clone, whole):
    def change():
        clone.edit(lambda recipe: recipe["export"].update(formats=["h5"]))
        (clone.folder / "README.md").write_text("other", encoding="utf-8")
        (clone.folder / "mnist/learning/.feed.py.swp").write_text("an editor's", encoding="utf-8")

    code, errors = changed_after_an_epoch(clone, change)
    assert (code, errors) == (0, "")
    assert digest(clone) == whole


def test_an_export_alone_of_a_model_that_was_trained_otherwise_is_refused(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda recipe: recipe["train"].update(learning_rate=0.02))
    process = clone.start("dvc", "repro", "--single-item", "export")
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "error: params.yaml: train.learning_rate: expected what the model was trained with, found a change" in errors


@pytest.mark.parametrize("shell", ["bash", "sh"])  # bash lets a last command take its place by itself, dash does not
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_stage_ends_with_the_dvc_that_has_started_it(clone, number, shell):
    clone.environment["SHELL"] = shutil.which(shell)
    clone.edit(lambda recipe: recipe.update(train=dict(QUICK, epochs=1000)))  # whatever the machine's load
    process = training(clone)
    stages = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate()
    assert "error: ended by SIGTERM" in errors.splitlines()
    assert stages
    assert psutil.wait_procs(stages, timeout=60)[1] == []
    assert not (clone.folder / MODEL).exists()
