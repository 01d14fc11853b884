"""The benchmarks measure what they say: same work, clocks that stop, figures that add up. No test looks at a speed."""

import json
import struct
import sys
from collections import Counter

import numpy as np
import pytest

from benchmarks import adapt, contenders, convert, phases, step, time_to_accuracy
from benchmarks.report import report
from mnist.core.params import load_params
from mnist.learning.architecture import build
from tests.conftest import ROOT


def test_all_converters_write_the_same_bytes(tmp_path):
    pixels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 784)
    (tmp_path / "images").write_bytes(struct.pack(">4I", 0x803, 2, 28, 28) + pixels.tobytes())
    (tmp_path / "labels").write_bytes(struct.pack(">2I", 0x801, 2) + bytes([7, 0]))
    header = ",".join(["label", *(f"pixel{i}" for i in range(784))])
    rows = ["7," + ",".join(map(str, pixels[0])), "0," + ",".join(map(str, pixels[1]))]
    for name, contender in convert.CONTENDERS.items():
        contender()(tmp_path / "images", tmp_path / "labels", tmp_path / name)
        assert (tmp_path / name).read_text() == "\n".join([header, *rows, ""]), name


@pytest.mark.parametrize("rows", [2, 3, 8])
def test_images_are_repeated_or_cut_to_the_number_of_rows(tmp_path, monkeypatch, rows):
    source = tmp_path / "source"
    source.write_bytes(struct.pack(">2I", 0x801, 3) + b"abc")
    monkeypatch.setattr(convert, "RAW", {"labels": (source, 8, 1)})
    convert.write_idx(tmp_path, rows)
    assert (tmp_path / "labels").read_bytes() == struct.pack(">2I", 0x801, rows) + b"abcabcab"[:rows]


def test_a_phase_within_another_interrupts_it(monkeypatch):
    # compute, write, then read: the call, the first item, the end of the items; then back to write and compute
    now = iter([10.0, 11.0, 13.0, 14.0, 16.0, 20.0, 21.0, 25.0, 31.0, 32.0])
    monkeypatch.setattr(phases.time, "time", lambda: next(now))
    clock = phases.Clock(since=9.0)
    with clock.phase("compute"), clock.phase("write"):
        assert list(clock.timed("read", lambda: iter("a"))()) == ["a"]
    by_hand = {"import": 1.0, "read": 1.0 + 4.0 + 4.0, "fit": 0.0, "compute": 1.0 + 1.0, "write": 2.0 + 2.0 + 1.0 + 6.0}
    assert clock.seconds == by_hand


@pytest.mark.slow
def test_a_timed_stage_writes_what_it_writes_and_where_its_seconds_went(reproduced, tmp_path):
    clone = reproduced.copy(tmp_path / "copy")
    clone.environment["PHASES"] = str(tmp_path / "phases")
    (clone.folder / "data/csv/train.csv").unlink()
    for stage, fitted in (("convert", False), ("train", True), ("evaluate", False)):
        clone.run(sys.executable, "-m", "benchmarks.phases", f"stages.{stage}")
        seconds = json.loads((tmp_path / f"phases/stages.{stage}.json").read_text())
        assert list(seconds) == list(phases.PHASES)
        assert all(seconds[phase] > 0 for phase in ("import", "read", "compute", "write"))
        assert (seconds["fit"] > 0) == fitted
    assert clone.run("git", "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "keras_docs"])
def test_a_contender_reports_each_epoch_until_it_reaches_the_target(name, real_digits, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    small = tuple(part[:300] for part in real_digits)
    contenders.CONTENDERS[name](0, small, small, contenders.Clock(target=0.0))
    (line,) = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert line["seconds"] > 0
    assert 0 <= line["accuracy"] <= 1


def test_every_contender_runs_and_every_pair_of_this_project_exists(content):
    assert set(time_to_accuracy.ROUNDS) == set(contenders.CONTENDERS)
    assert {"fast", "best"} <= set(content["architectures"]) & set(content["trainings"])


def test_a_contenders_row_says_how_often_and_when_each_target_was_reached():
    ends = [(2.0, 0.99), (9.0, 0.98), (4.0, 0.996)]
    runs = [[{"seconds": 1.0, "accuracy": 0.98}, {"seconds": seconds, "accuracy": last}] for seconds, last in ends]
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


def test_an_operations_time_is_counted_once_though_another_calls_it():
    events = [
        (0, 100, "outer:While"),
        (10, 30, "a:_MklNativeConv2D"),
        (50, 20, "b:Mul"),
        (55, 5, "c:Add"),
        (200, 7, "d:Mul"),
    ]
    found = Counter()
    for name, picoseconds in step.own_time(events[::-1]):
        found[name] += picoseconds
    assert found == {"outer:While": 50, "a:_MklNativeConv2D": 30, "b:Mul": 15, "c:Add": 5, "d:Mul": 7}
    assert step.OPERATION.fullmatch("a:_MklNativeConv2D")[1] == "Conv2D"
    assert not step.OPERATION.fullmatch("KernelAndDeviceFunc::Run")


def test_the_work_of_a_step_is_that_of_its_convolutions_and_dense_layers():
    bn_cnn = load_params(ROOT / "params.yaml").pair()
    by_hand = 2 * 2 * 26**2 * 9 * 32  # forward and the kernel's gradient
    places_and_weights = ((24**2, 9 * 32 * 32), (10**2, 9 * 32 * 64), (8**2, 9 * 64 * 64), (1, 1024 * 256), (1, 2560))
    by_hand += sum(3 * 2 * places * weights for places, weights in places_and_weights)
    assert step.flops(build(bn_cnn.architecture, bn_cnn.layers, 10)) == by_hand


def test_a_report_is_a_table_and_the_same_figures_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    report("some", [{"name": "a_b", "rate": 12345.6, "share": 0.123456}, {"name": "c", "rate": None, "share": 2.0}])
    assert capsys.readouterr().out.splitlines() == [
        "name    rate   share",
        "a b   12,346  0.1235",
        "c          -       2",
    ]
    written = json.loads((tmp_path / "benchmarks/some.json").read_text())
    assert written["results"][0] == {"name": "a_b", "rate": 12345.6, "share": 0.123456}
    assert written["machine"]["cores"] >= 1


@pytest.mark.slow
def test_what_was_not_learnt_is_read_after_a_training(real_digits):
    images, labels = (part[:600] for part in real_digits)
    learnt = adapt.among_the_first(labels, 30)
    assert np.bincount(labels[learnt]).tolist() == [30] * 10
    assert adapt.accuracy("few", 0, (images, labels), learnt) > 0.8
