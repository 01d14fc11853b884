"""End to end: the real dvc on a small data set of real digits, in temporary clones."""

import csv
import json

import pytest
import yaml

from tests.clones import STAGES, Clone, digest, read_json, stages_run

pytestmark = pytest.mark.slow


def table(clone, name):
    with (clone.folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_repro_turns_digits_into_an_evaluated_and_exported_classifier(reproduced):
    metrics = read_json(reproduced, "metrics/evaluate.json")
    assert metrics["accuracy"] > 0.9
    assert metrics["errors"] == round(360 * (1 - metrics["accuracy"]))
    assert metrics["accuracy_low"] < metrics["accuracy"] < metrics["accuracy_high"]
    assert sum(int(row["support"]) for row in table(reproduced, "metrics/classes.csv")) == 360
    assert all(float(row["accuracy"]) > 0.9 for row in table(reproduced, "metrics/export.csv"))
    reproduced.run("sh", "-c", "cd models/export && sha256sum --check --quiet SHA256SUMS")


def test_second_repro_runs_nothing_and_status_says_up_to_date(reproduced):
    output = reproduced.run("dvc", "repro")
    assert stages_run(output) == []
    assert "up to date" in output and "up to date" in reproduced.run("dvc", "status")


def test_repro_by_force_changes_no_byte(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    assert stages_run(clone.run("dvc", "repro", "--force")) == list(STAGES)
    assert clone.run("git", "status", "--porcelain") == ""


def test_every_stage_but_the_export_is_in_the_run_cache(reproduced):
    files = [path for path in (reproduced.folder / ".dvc/cache/runs").rglob("*") if path.is_file()]
    commands = {yaml.safe_load(path.read_text(encoding="utf-8"))["cmd"] for path in files}
    assert commands == {f"exec python -m stages.{stage}" for stage in STAGES} - {"exec python -m stages.export"}


def test_swapping_two_layers_reruns_the_training(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda recipe: recipe["model"].insert(1, recipe["model"].pop(2)))
    (changed,) = json.loads(clone.run("dvc", "status", "--json"))["train"]
    assert "model" in changed["changed deps"]["params.yaml"]


def test_a_new_data_set_that_is_not_chosen_trains_nothing(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.run("cp", "datasets/digits.yaml", "datasets/other.yaml")
    assert stages_run(clone.run("dvc", "repro")) == ["download"]
    assert digest(clone) == digest(reproduced)


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
    clone.edit(lambda recipe: recipe["export"].update(formats=["h5", "onxx"]))
    process = clone.start("dvc", "repro")
    output, errors = process.communicate()
    assert process.returncode != 0
    assert stages_run(output) == ["export"]
    assert "error: params.yaml: export.formats.1: " in errors and "did you mean 'onnx'?" in errors
    assert "Traceback" not in output + errors
    assert digest(clone, "models/export/SHA256SUMS") == before
