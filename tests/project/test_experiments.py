"""Experiments and the way back from them, seeds, baselines: the real dvc on a small data set, in temporary clones."""

import json
import statistics
import sys

import pytest

from tests.clones import MODEL, QUICK, digest, read_json, stages_run

pytestmark = pytest.mark.slow


def shorten(params):
    """One epoch; a model that knows so little may lose more than is allowed in eight bits, so without those."""
    params["trainings"]["quick"].update(epochs=1)
    params["export"].update(formats=["h5", "onnx"])


def test_editing_the_training_reruns_what_depends_on_it_and_metrics_diff_shows_it(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.run("git", "checkout", "--quiet", "-b", "shorter")
    clone.edit(shorten)
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


@pytest.mark.parametrize("committed", [True, False], ids=["lock committed", "lock not committed"])
def test_the_way_back_from_an_experiment_trains_nothing_and_leaves_no_trace(reproduced, tmp_path, committed):
    clone = reproduced.copy(tmp_path)
    if not committed:
        clone.run("git", "rm", "--quiet", "--cached", "dvc.lock")
        clone.run("git", "commit", "--quiet", "--message", "a user who has not committed dvc.lock")
    before = clone.run("git", "status", "--porcelain")
    assert before == ("" if committed else "?? dvc.lock\n")
    output = clone.run("dvc", "exp", "run", "-S", "trainings.quick.epochs=1", "-S", "export.formats=[h5,onnx]")
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


def test_an_ensemble_goes_through_the_pipeline_and_its_networks_are_those_of_its_training_alone(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda params: params["trainings"].update(two=QUICK | {"ensemble": 2}))
    clone.edit(lambda params: params.update(training="two"))
    assert stages_run(clone.run("dvc", "repro")) == ["train", "evaluate", "export"]
    whole, exported = read_json(clone, "metrics/evaluate.json"), read_json(clone, "metrics/export.json")
    assert all(row["changed_predictions"] == 0 for name, row in exported.items() if name != "litert_int8")
    clone.run(sys.executable, "-m", "seeds.repeat", "--architecture", "small", "--training", "two", "--seed", "0")
    found = {seed: read_json(clone, f"metrics/seeds/small-{seed}.json") for seed in ("two-0", "quick-0", "quick-1")}
    assert found["two-0"]["accuracy"] == whole["accuracy"]
    alone = read_json(reproduced, "metrics/evaluate.json")  # the pair `quick` with seed 0
    assert found["quick-0"] == {name: alone[name] for name in found["quick-0"]}
    assert found["quick-1"]["loss"] != found["quick-0"]["loss"] != found["two-0"]["loss"]


def test_the_exported_model_is_asked_about_corrupted_images(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    output = clone.run("dvc", "repro", "robustness/dvc.yaml:robustness")
    found, evaluated = read_json(clone, "metrics/robustness.json"), read_json(clone, "metrics/evaluate.json")
    rows = {row["corruption"]: row for row in found["corruptions"]}
    assert len(rows) == 15 and f"glass_blur: {rows['glass_blur']['accuracy']:.2%} right" in output
    assert found["corrupted_accuracy"] == pytest.approx(statistics.fmean(row["accuracy"] for row in rows.values()))
    assert found["corrupted_accuracy"] < evaluated["accuracy"] - 0.1
    assert all(row["sure_and_wrong"] <= 1 - row["accuracy"] for row in rows.values())
    pictures = {row["pictures"]: row for row in found["pictures"]}
    assert list(pictures) == ["digits_32", "digits_64", "digits_160", "digits_320", "test_images"]
    assert pictures["digits_64"]["num_images"] == 898 and pictures["digits_64"]["read"] > 0.5
    assert (clone.folder / "metrics/plots/robustness.png").read_bytes().startswith(b"\x89PNG")
    clone.run("dvc", "repro", "--force", "--single-item", "robustness/dvc.yaml:robustness")
    assert read_json(clone, "metrics/robustness.json") == found


def test_another_pair_is_asked_about_corrupted_images(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    small = {"architecture": ["small"], "training": ["quick"]}
    clone.edit(lambda pipeline: pipeline["stages"]["original"].update(matrix=small), "robustness/dvc.yaml")
    clone.run("dvc", "repro", "robustness/dvc.yaml:original@small-quick")
    clone.run("dvc", "repro", "robustness/dvc.yaml:robustness")
    found, exported = (
        read_json(clone, "metrics/robustness/small-quick.json"),
        read_json(clone, "metrics/robustness.json"),
    )
    assert found["accuracy"] == read_json(clone, "metrics/evaluate.json")["accuracy"]
    assert found["corrupted_accuracy"] == pytest.approx(
        exported["corrupted_accuracy"], abs=0.002
    )  # ONNX rounds otherwise


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
