"""End to end: the real dvc on a small data set of real digits, in temporary clones."""

import hashlib
import json
import os
import random
import signal
import subprocess
import time

import pytest
import yaml

from tests.clones import QUICK, STAGES, Clone, stages_run

pytestmark = pytest.mark.slow
MODEL = "models/MNIST_keras_CNN.h5"


def read_json(clone, name):
    return json.loads((clone.folder / name).read_text(encoding="utf-8"))


def digest(clone, name=MODEL):
    return hashlib.sha256((clone.folder / name).read_bytes()).hexdigest()


def test_repro_turns_digits_into_an_evaluated_and_exported_classifier(reproduced):
    metrics = read_json(reproduced, "metrics/evaluate.json")
    assert metrics["num_images"] == 360
    assert metrics["accuracy"] > 0.9
    assert metrics["accuracy_low"] < metrics["accuracy"] < metrics["accuracy_high"]
    assert all(row["accuracy"] > 0.9 for row in read_json(reproduced, "metrics/export.json").values())
    reproduced.run("sh", "-c", "cd models/export && sha256sum --check --quiet SHA256SUMS")


def test_second_repro_runs_nothing(reproduced):
    output = reproduced.run("dvc", "repro")
    assert stages_run(output) == []
    assert "up to date" in output


def test_repro_by_force_changes_no_byte(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    assert stages_run(clone.run("dvc", "repro", "--force")) == list(STAGES)
    assert clone.run("git", "status", "--porcelain") == ""


def test_every_stage_but_the_export_is_in_the_run_cache(reproduced):
    entries = [path for path in (reproduced.folder / ".dvc/cache/runs").rglob("*") if path.is_file()]
    commands = {yaml.safe_load(path.read_text(encoding="utf-8"))["cmd"] for path in entries}
    assert commands == {f"python -m stages.{stage}" for stage in STAGES} - {"python -m stages.export"}


def test_editing_the_training_reruns_what_depends_on_it_and_metrics_diff_shows_it(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.run("git", "checkout", "--quiet", "-b", "shorter")
    clone.edit(lambda params: params["trainings"]["quick"].update(epochs=1))
    assert stages_run(clone.run("dvc", "repro")) == ["train", "evaluate", "export"]
    clone.commit("one epoch")
    changed = json.loads(clone.run("dvc", "metrics", "diff", "main", "shorter", "--json"))
    accuracy = changed["metrics/evaluate.json"]["accuracy"]
    assert accuracy["old"] > accuracy["new"] > 0
    assert changed["metrics/train.json"]["epoch"] == {"old": QUICK["epochs"], "new": 1, "diff": 1 - QUICK["epochs"]}

    clone.run("git", "checkout", "--quiet", "main")
    clone.run("dvc", "checkout")
    assert stages_run(clone.run("dvc", "repro")) == []
    assert digest(clone) == digest(reproduced)


def test_editing_an_unused_architecture_runs_nothing(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda params: params["architectures"]["haque"][0]["Conv2D"].update(filters=8))
    assert stages_run(clone.run("dvc", "repro")) == []


def test_swapping_two_layers_reruns_the_training(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda params: params["architectures"]["small"].insert(1, params["architectures"]["small"].pop(2)))
    (changed,) = json.loads(clone.run("dvc", "status", "--json"))["train"]
    assert "architectures.small" in changed["changed deps"]["params.yaml"]


def test_pull_in_a_second_clone_gives_the_same_model(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.run("dvc", "push")
    clone.run("git", "clone", "--quiet", ".", str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.run("dvc", "pull")
    assert digest(second) == digest(clone)
    assert stages_run(second.run("dvc", "repro")) == []


def test_a_failed_export_leaves_the_old_one_and_says_why(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    before = digest(clone, "models/export/SHA256SUMS")
    proof = clone.folder / "mnist/export/proof.py"
    text = proof.read_text(encoding="utf-8")
    assert "\nTOLERANCE = 1e-4" in text
    proof.write_text(text.replace("\nTOLERANCE = 1e-4", "\nTOLERANCE = -1"), encoding="utf-8")
    process = clone.start("dvc", "repro")
    output, errors = process.communicate()
    assert process.returncode != 0
    assert stages_run(output) == ["export"]
    assert "error: models/export/MNIST_keras_CNN" in errors
    assert "Traceback" not in output + errors
    assert digest(clone, "models/export/SHA256SUMS") == before


def test_a_training_killed_ten_times_goes_on_and_ends_in_the_same_bytes(reproduced, tmp_path):
    long = dict(QUICK, epochs=40)
    fresh = reproduced.copy(tmp_path / "fresh")
    fresh.edit(lambda params: params["trainings"].update(quick=long))
    start = time.monotonic()
    fresh.run("dvc", "repro", "train")
    whole = time.monotonic() - start

    clone = reproduced.copy(tmp_path / "killed")
    clone.edit(lambda params: params["trainings"].update(quick=long))
    process, moments, resumed = clone.start("dvc", "repro", "train"), random.Random(0), 0
    while not list(clone.folder.glob("models/checkpoints/train/*.weights.h5")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    for _ in range(9):
        process = clone.start("dvc", "repro", "train")
        try:
            process.wait(timeout=moments.uniform(0, whole / 2))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        resumed += "going on after epoch" in process.communicate()[0]
    resumed += "going on after epoch" in clone.run("dvc", "repro", "train")
    assert digest(clone) == digest(fresh)
    assert resumed > 0


@pytest.mark.parametrize("committed", [True, False], ids=["lock committed", "lock not committed"])
def test_the_way_back_from_an_experiment_trains_nothing_and_leaves_no_trace(reproduced, tmp_path, committed):
    clone = reproduced.copy(tmp_path)
    if not committed:
        clone.run("git", "rm", "--quiet", "--cached", "dvc.lock")
        clone.run("git", "commit", "--quiet", "--message", "a user who has not committed dvc.lock")
    before = clone.run("git", "status", "--porcelain")
    assert before == ("" if committed else "?? dvc.lock\n")
    output = clone.run("dvc", "exp", "run", "-S", "trainings.quick.epochs=1")
    assert stages_run(output) == ["train", "evaluate", "export"]
    assert digest(clone) != digest(reproduced)

    clone.run("git", "restore", "params.yaml")
    output = clone.run("dvc", "repro")
    assert "Stage 'train' is cached" in output
    assert "Stage 'evaluate' is cached" in output
    assert stages_run(output) == ["export"]
    for name in (MODEL, "models/export/SHA256SUMS", "metrics/evaluate.json", "metrics/history.csv", "dvc.lock"):
        assert digest(clone, name) == digest(reproduced, name), name
    assert clone.run("git", "status", "--porcelain") == before


def test_a_pair_is_repeated_from_a_seed(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    small = {"architecture": ["small"], "training": ["quick"], "seed": [0]}
    clone.edit(lambda pipeline: pipeline["stages"]["fast"].update(matrix=small), "seeds/dvc.yaml")
    clone.run("dvc", "repro", "seeds/dvc.yaml:fast@small-quick-0")
    found, evaluated = read_json(clone, "metrics/seeds/small-quick-0.json"), read_json(clone, "metrics/evaluate.json")
    assert found == {name: evaluated[name] for name in found}
    assert found["accuracy"] > 0.9


def test_the_baselines_are_a_pipeline_of_their_own(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    pair = {"architecture": "small", "training": "quick", "published_accuracy": 0.9}
    clone.edit(lambda params: params.update(baselines={"mine": pair}))
    assert stages_run(clone.run("dvc", "repro")) == []
    clone.run("dvc", "repro", "baselines/dvc.yaml")
    result = read_json(clone, "metrics/baselines/mine.json")
    assert result["accuracy"] == read_json(clone, "metrics/evaluate.json")["accuracy"]
    assert result["difference"] == pytest.approx(result["accuracy"] - 0.9, abs=1e-4)
    assert (clone.folder / "metrics/plots/baselines.png").read_bytes().startswith(b"\x89PNG")
