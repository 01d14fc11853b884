"""The benchmarks measure what they say: same work, clocks that stop, figures that add up. No test looks at a speed."""

import hashlib
import json

import numpy as np
import pytest

from benchmarks import adapt, contenders, pipeline, time_to_accuracy
from benchmarks.report import report
from tests.clones import repository, write_yaml
from tests.conftest import ROOT, recipe_of


@pytest.mark.slow
def test_the_seconds_of_the_stages_and_of_dvc_are_those_of_the_whole(tmp_path, monkeypatch):
    origin = repository(tmp_path / "origin")
    stages = {name: {"cmd": f"cat params.yaml > {name}", "outs": [name]} for name in ("one", "two")}
    write_yaml(origin.folder / "dvc.yaml", {"stages": stages})
    (origin.folder / "recipes").mkdir()
    write_yaml(origin.folder / "recipes/some.yaml", {"recipe": "some"})
    origin.commit("two stages")
    monkeypatch.chdir(origin.folder)
    monkeypatch.setenv("PATH", origin.environment["PATH"])
    (tmp_path / "scratch").mkdir()
    rows = pipeline.cold_run("some", tmp_path / "scratch")
    assert [row["stage"] for row in rows] == ["one", "two", "DVC itself", "all, some"]
    assert all(row["seconds"] > 0 for row in rows)
    assert sum(row["seconds"] for row in rows[:-1]) == pytest.approx(rows[-1]["seconds"])
    assert (tmp_path / "scratch/clone/two").read_text() == "recipe: some\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "keras_docs"])
def test_a_contender_stops_after_the_epoch_that_reaches_the_target(name, real_digits, monkeypatch):
    monkeypatch.chdir(ROOT)
    small = tuple(part[:300] for part in real_digits)
    clock = contenders.Clock(small, target=0.0)
    contenders.CONTENDERS[name](0, small, clock)
    ((seconds, accuracy),) = clock.epochs
    assert seconds > 0 and 0 <= accuracy <= 1


def test_every_contender_runs():
    assert set(time_to_accuracy.ROUNDS) == set(contenders.CONTENDERS)


def test_a_contenders_row_says_how_often_and_when_each_target_was_reached():
    runs = [[(1.0, 0.98), last] for last in ((2.0, 0.99), (9.0, 0.98), (4.0, 0.996))]
    assert time_to_accuracy.row("some", runs) == {
        "contender": "some",
        "runs": 3,
        "reached_99.0%": 2,
        "seconds_to_99.0%": 4.0,  # the second run counts with all of its 9
        "reached_99.5%": 1,
        "seconds_to_99.5%": 4.0,
        "last_accuracy": pytest.approx((0.99 + 0.98 + 0.996) / 3),
    }
    assert time_to_accuracy.row("some", runs[:2])["seconds_to_99.5%"] is None


def test_a_report_is_a_table_and_the_same_figures_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [{"name": "a_b", "rate": 12345.6, "share": 0.123456}, {"name": "c", "rate": None, "share": 2.0}]
    report("some", rows)
    assert capsys.readouterr().out.splitlines() == [
        "name    rate   share",
        "a b   12,346  0.1235",
        "c          -       2",
    ]
    written = json.loads((tmp_path / "benchmarks/some.json").read_text())
    assert written["results"] == rows
    assert written["machine"]["cores"] >= 1


def test_only_adapt_starts_from_the_pipelines_model(tmp_path, monkeypatch):
    monkeypatch.setattr(adapt, "MODEL", tmp_path / "model.h5")
    (tmp_path / "model.h5").write_bytes(b"weights")
    monkeypatch.chdir(ROOT)
    assert adapt.recipe("small_data", 0).train.initial_weights is None
    initial = adapt.recipe("adapt", 0).train.initial_weights
    assert (initial.file, initial.sha256) == (str(adapt.MODEL), hashlib.sha256(b"weights").hexdigest())


@pytest.mark.slow
def test_what_was_not_trained_on_is_read_after_a_training(real_digits, monkeypatch):
    images, labels = (part[:600] for part in real_digits)
    trained = adapt.among_the_first(labels, 30)
    assert np.bincount(labels[trained]).tolist() == [30] * 10 and trained[:200].all()
    monkeypatch.chdir(ROOT)
    assert adapt.accuracy_of_others(recipe_of(epochs=30), (images, labels), trained) > 0.8
