"""Experiments: README's lines, in its order, on a small data set."""

import json
import re

import pytest

from tests.clones import digest
from tests.project.test_readme import block

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(reproduced, tmp_path):
    """A copy whose recipes are about the small data set and export what takes little time."""
    clone = reproduced.copy(tmp_path)
    for path in (clone.folder / "recipes").glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("dataset: mnist", "dataset: digits")
        path.write_text(re.sub(r"formats: \[.*\]", "formats: [h5, onnx]", text), encoding="utf-8")
    clone.commit("recipes for the small data set")
    return clone


def table(clone, *options):
    """The rows of `dvc exp show`, without the commit that the experiments start from."""
    shown = json.loads(clone.run("dvc", "exp", "show", "--json", *options))
    rows = [revs["revs"][0] for commit in shown for revs in commit.get("experiments") or []]
    return {row["name"]: row["data"] for row in rows}


def test_the_lines_of_the_experiment_block_work_one_after_the_other(clone):
    before, model = clone.run("git", "status", "--porcelain"), digest(clone)
    lines = block("dvc exp run").strip().splitlines()
    assert len(lines) >= 5
    for line in lines:
        if "queue" not in line:  # its worker outlives the line; the next test has it
            clone.run("sh", "-ec", line)
    experiments = table(clone)
    values = {data["params"]["params.yaml"]["data"]["train"]["learning_rate"] for data in experiments.values()}
    accuracies = {data["metrics"]["metrics/train.json"]["data"]["train_loss"] for data in experiments.values()}
    assert len(experiments) == len(accuracies) > 2  # each trained something else
    assert len(values) > 1
    clone.run("sh", "-ec", block("git restore --staged"))
    assert clone.run("git", "status", "--porcelain") == before
    assert digest(clone) == model


def test_each_seed_in_a_queue_is_an_experiment(clone):
    clone.run("dvc", "exp", "run", "--queue", "-S", "seed=1,2", "-S", "train.epochs=1", "-S", "export.formats=[h5]")
    clone.run("dvc", "exp", "run", "--run-all")
    seeds = {data["params"]["params.yaml"]["data"]["seed"] for data in table(clone).values()}
    assert seeds == {1, 2}


def test_the_tables_are_ones_that_a_person_reads(clone):
    clone.run("cp", "recipes/default.yaml", "params.yaml")
    header = clone.run("dvc", "exp", "show", "--csv").splitlines()[0]
    assert len(header.split(",")) <= 56
    assert len(clone.run("dvc", "metrics", "show").strip().splitlines()) <= 4
    clone.run("git", "restore", "params.yaml")
    clone.edit(lambda recipe: recipe["train"].update(epochs=3))
    clone.run("dvc", "repro", "evaluate")
    assert len(clone.run("dvc", "metrics", "diff", "main").strip().splitlines()) <= 14
