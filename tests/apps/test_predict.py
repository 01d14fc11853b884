"""python -m apps.predict is `mnist-read` under another name; tests/mnist_reader/test_command.py tests what it does."""

import json

import numpy as np

from tests.linear import bar_or_ring, write_model
from tests.mnist_reader.drawn import bars_and_rings


def test_the_command_of_the_clone_reads_digits(run_module, tmp_path):
    write_model(tmp_path / "some.onnx", bar_or_ring(np.float32(-0.1)) / 12)
    bars_and_rings("10").save(tmp_path / "ten.png")
    done = run_module("-m", "apps.predict", "--model", "some.onnx", "--json", "ten.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert [(row["file"], row["text"]) for row in json.loads(done.stdout)] == [("ten.png", "10")]


def test_its_help_calls_it_by_its_name(run_module):
    assert run_module("-m", "apps.predict", "--help").stdout.startswith("usage: python -m apps.predict ")
