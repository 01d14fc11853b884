"""python -m apps.predict, as a user runs it, with a small linear model."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits

from mnist.inference.prepare import prepare
from tests.clones import ROOT


def render(image):
    """An 8×8 image in 0–16 as dark ink on white paper, 64 pixels a side."""
    paper = Image.fromarray(np.rint(255 - image * (255 / 16)).astype(np.uint8))
    return paper.resize((64, 64), Image.Resampling.BICUBIC)


def fit():
    """Weights `(784, 10)`: ridge regression on scikit-learn's digits, solved without any code of the pipeline."""
    digits = load_digits()
    x = np.stack([prepare(render(image)) for image in digits.images]).reshape(-1, 784) / 255
    return np.linalg.solve(x.T @ x + np.eye(784), x.T @ np.eye(10)[digits.target]).astype(np.float32) * 10


def write_model(path, weights):
    """Write softmax(image · weights) as ONNX, with the inputs and outputs of the exported model."""
    constants = {"shape": np.array([-1, 784]), "weights": weights}
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    ports = [("image", ["n", 28, 28, 1]), ("probabilities", ["n", weights.shape[1]])]
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in ports)
    constants_ = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, constants_)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


@pytest.fixture(scope="module")
def weights():
    return fit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, weights):
    """A folder with linear.onnx and 0.png … 9.png."""
    folder = tmp_path_factory.mktemp("predict")
    write_model(folder / "linear.onnx", weights)
    for digit, image in enumerate(load_digits().images[10:20]):  # these are 0 to 9
        render(image).save(folder / f"{digit}.png")
    return folder


def predict(folder, *arguments, stdin=b""):
    command = [sys.executable, "-m", "apps.predict", "--model", str(folder / "linear.onnx"), *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, check=False)


def test_no_files_on_a_terminal_is_an_error_and_not_a_wait(folder):
    terminal, ours = os.openpty()
    command = [sys.executable, "-m", "apps.predict", "--model", str(folder / "linear.onnx")]
    done = subprocess.run(command, cwd=ROOT, stdin=ours, capture_output=True, check=False, timeout=60)
    for end in (terminal, ours):
        os.close(end)
    assert done.returncode == 2
    assert (
        done.stderr.decode()
        .splitlines()[-1]
        .endswith("error: expected picture files, or a picture on standard input; found none")
    )


def test_table_is_aligned_and_names_each_digit(folder):
    done = predict(folder, *(str(folder / f"{digit}.png") for digit in range(10)))
    assert (done.returncode, done.stderr) == (0, b"")
    heading, *rows = done.stdout.decode().splitlines()
    assert heading.split() == ["file", "digit", "confidence", "second", "choice"]
    assert [row.split()[1] for row in rows] == list("0123456789")
    assert len({(len(row), row.index("%")) for row in rows}) == 1


def test_json_holds_the_probabilities_that_numpy_computes(folder, weights):
    file = folder / "3.png"
    (row,) = json.loads(predict(folder, "--json", str(file)).stdout)
    logits = prepare(file.read_bytes()).reshape(784) / 255 @ weights
    probabilities = np.exp(logits) / np.exp(logits).sum()
    second, first = np.argsort(probabilities)[-2:]
    assert (row["file"], row["digit"], row["second"]) == (str(file), first, second)
    assert row["confidence"] == pytest.approx(probabilities[first], abs=1e-5)
    assert row["second_confidence"] == pytest.approx(probabilities[second], abs=1e-5)


def test_csv_has_a_heading_and_a_row_for_each_file(folder):
    files = [str(folder / "5.png"), str(folder / "0.png")]
    rows = list(csv.DictReader(io.StringIO(predict(folder, "--csv", *files).stdout.decode())))
    assert [(row["file"], row["digit"]) for row in rows] == [(files[0], "5"), (files[1], "0")]


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(folder, arguments):
    done = predict(folder, "--csv", *arguments, stdin=(folder / "4.png").read_bytes())
    assert done.stdout.decode().splitlines()[1].startswith("-,4,")


def test_bad_files_have_a_line_each_and_the_others_are_answered(folder, tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes\n.txt").write_text("not a picture")
    bad = [str(tmp_path / "empty.png"), str(tmp_path / "none.png"), str(tmp_path / "notes\n.txt"), str(tmp_path)]
    done = predict(folder, "--csv", bad[0], str(folder / "1.png"), bad[1], str(folder / "2.png"), *bad[2:])
    assert done.returncode == 1
    assert [line.split(",")[1] for line in done.stdout.decode().splitlines()] == ["digit", "1", "2"]
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[1] for line in lines] == [name.replace("\n", "\\n") for name in bad]
    assert all(line.startswith("error: ") and "expected" in line and "found" in line for line in lines)


def test_no_answer_at_all_is_an_empty_json_array(folder):
    done = predict(folder, "--json", "nowhere.png")
    assert (done.returncode, json.loads(done.stdout)) == (1, [])


def test_many_files_are_answered_in_order_as_few_are(folder):
    names = [str(folder / f"{(i * 7) % 10}.png") for i in range(600)]
    names[300] = "nowhere.png"
    done = predict(folder, "--csv", *names)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    del names[300]
    assert [row["file"] for row in rows] == names
    assert [row["digit"] for row in rows] == [Path(name).stem for name in names]
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)


@pytest.mark.parametrize("count", [400, 3000])  # 3,000 go to several processes
def test_reader_who_stops_early_is_no_error(folder, count):
    command = [sys.executable, "-m", "apps.predict", "--json", "--model", str(folder / "linear.onnx")]
    files = [str(folder / "1.png")] * count
    with subprocess.Popen(command + files, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_missing_model_says_how_to_get_it(tmp_path):
    done = predict(tmp_path, "any.png")
    path = tmp_path / "linear.onnx"
    line = f"error: {path}: expected the exported model, found no such file; run `dvc repro` or `dvc pull`\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", line)


def test_other_models_are_refused_in_one_line(tmp_path):
    write_model(tmp_path / "linear.onnx", np.zeros((784, 3), np.float32))
    done = predict(tmp_path, "any.png")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"expected (n, 28, 28, 1) \xe2\x86\x92 (n, 10), found" in done.stderr
    (tmp_path / "linear.onnx").write_bytes(b"no model")
    done = predict(tmp_path, "any.png")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"expected an ONNX model" in done.stderr


def test_nothing_heavy_is_imported(folder):
    script = (
        "import sys, apps.predict; sys.argv[0] = 'predict'; apps.predict.main();"
        "sys.exit(' '.join({'tensorflow', 'keras', 'scipy', 'pandas', 'gradio'} & set(sys.modules)) or None)"
    )
    command = [sys.executable, "-c", script, "--model", str(folder / "linear.onnx"), str(folder / "1.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
