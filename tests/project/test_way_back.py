"""Branches, experiments, and the way back from both, on a small data set."""

import json

import pytest

from tests.clones import MODEL, QUICK, digest, stages_run
from tests.project.test_readme import block

pytestmark = pytest.mark.slow


def test_editing_the_training_reruns_what_depends_on_it_and_metrics_diff_shows_it(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path)
    clone.run("git", "checkout", "--quiet", "-b", "shorter")
    clone.edit(lambda recipe: recipe["train"].update(epochs=1))
    clone.edit(lambda recipe: recipe["export"].update(formats=["h5", "onnx"]))
    assert stages_run(clone.run("dvc", "repro")) == ["train", "evaluate", "export"]
    clone.commit("one epoch")
    accuracy = json.loads(clone.run("dvc", "metrics", "diff", "main", "--json"))["metrics/evaluate.json"]["accuracy"]
    assert accuracy["old"] > accuracy["new"] > 0
    params = json.loads(clone.run("dvc", "params", "diff", "main", "--json"))["params.yaml"]
    assert params["train.epochs"] == {"old": QUICK["epochs"], "new": 1, "diff": 1 - QUICK["epochs"]}

    clone.run("git", "checkout", "--quiet", "main")
    clone.run("dvc", "checkout")
    assert stages_run(clone.run("dvc", "repro")) == []


@pytest.mark.parametrize("committed", [True, False], ids=["lock committed", "lock not committed"])
def test_the_way_back_from_an_experiment_trains_nothing_and_leaves_no_trace(reproduced, tmp_path, committed):
    clone = reproduced.copy(tmp_path)
    if not committed:
        clone.run("git", "rm", "--quiet", "--cached", "dvc.lock")
        clone.run("git", "commit", "--quiet", "--message", "a user who has not committed dvc.lock")
    before = clone.run("git", "status", "--porcelain")
    output = clone.run("dvc", "exp", "run", "-S", "train.epochs=1", "-S", "export.formats=[h5,onnx]")
    assert stages_run(output) == ["train", "evaluate", "export"]
    assert digest(clone) != digest(reproduced)
    clone.run("git", "add", "params.yaml")  # as DVC leaves it where a closed terminal ends an experiment

    output = clone.run("sh", "-ec", block("git restore --staged"))
    assert "Stage 'train' is cached" in output
    assert "Stage 'evaluate' is cached" in output
    assert stages_run(output) == ["export"]
    for name in (MODEL, "models/export/SHA256SUMS", "metrics/evaluate.json", "metrics/history.csv", "dvc.lock"):
        assert digest(clone, name) == digest(reproduced, name), name
    assert clone.run("git", "status", "--porcelain") == before
