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
from PIL import Image
from sklearn.datasets import load_digits

from mnist_reader.preparation import prepare
from tests.clones import ROOT
from tests.digits import render
from tests.linear import softmax, write_model


def fit():
    """Weights `(784, 10)`: ridge regression on scikit-learn's digits, solved without any code of the pipeline."""
    digits = load_digits()
    x = np.stack([prepare(render(image)) for image in digits.images]).reshape(-1, 784) / 255
    return np.linalg.solve(x.T @ x + np.eye(784), x.T @ np.eye(10)[digits.target]).astype(np.float32) * 10


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
    (probabilities,) = softmax(prepare(file.read_bytes()), weights)
    second, first = np.argsort(probabilities)[-2:]
    assert (row["file"], row["digit"], row["second"]) == (str(file), str(first), str(second))
    assert row["unsure"] is False
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


def of_colours(model):
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 3


def of_any_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "rows"


def of_an_older_export(model):
    del model.metadata_props[:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (of_colours, "expected (n, rows, columns, 1) → (n, classes), found"),
        (of_any_size, "expected (n, rows, columns, 1) → (n, classes), found"),
        (of_an_older_export, "expected a model that says its classes, found none ('title'); export it again"),
        (None, "expected an ONNX model, found"),
    ],
)
def test_other_models_are_refused_in_one_line(folder, tmp_path, change, expected):
    if change:
        change(model := onnx.load(folder / "linear.onnx"))
        onnx.save(model, tmp_path / "linear.onnx")
    else:
        (tmp_path / "linear.onnx").write_bytes(b"no model")
    done = predict(tmp_path, "any.png")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.decode().startswith(f"error: {tmp_path / 'linear.onnx'}: {expected}")


@pytest.fixture(scope="module")
def row_of_digits(folder):
    """The file of one picture: 2026."""
    page = Image.new("L", (400, 100), "white")
    for place, digit in enumerate("2026"):
        page.paste(Image.open(folder / f"{digit}.png"), (40 + 90 * place, 18))
    page.save(folder / "2026.png")
    return folder / "2026.png"


def test_a_row_of_digits_is_read_as_one_number(folder, weights, row_of_digits):
    (row,) = json.loads(predict(folder, "--json", str(row_of_digits)).stdout)
    digits = np.stack([prepare(folder / f"{digit}.png") for digit in "2026"])
    assert (row["digit"], row["second"], row["second_confidence"], row["unsure"]) == ("2026", "", 0, False)
    assert row["confidence"] == pytest.approx(softmax(digits, weights).max(axis=1).prod(), abs=0.02)  # cut out of a row
    assert predict(folder, str(row_of_digits)).stdout.decode().splitlines()[1].split()[1:] == [
        "2026",
        f"{row['confidence']:.2%}",
    ]


@pytest.fixture(scope="module")
def doubtful(folder, weights):
    """A folder with a model that is sure of nothing."""
    (folder / "doubtful").mkdir()
    write_model(folder / "doubtful" / "linear.onnx", weights, threshold=1.0)
    return folder / "doubtful"


def test_answers_below_the_threshold_are_marked(folder, doubtful):
    file = str(folder / "3.png")
    (row,) = json.loads(predict(doubtful, "--json", file).stdout)
    assert (row["digit"], row["unsure"]) == ("3", True)
    heading, line = predict(doubtful, "--csv", file).stdout.decode().splitlines()
    assert (heading.split(",")[-1], line.split(",")[-1]) == ("unsure", "True")
    assert predict(doubtful, file).stdout.decode().splitlines()[1].endswith("  unsure")


def test_all_can_be_accepted_as_single_digits(folder, doubtful, weights, row_of_digits):
    files = [folder / "3.png", row_of_digits]
    one, several = json.loads(predict(doubtful, "--json", "--accept-all", *map(str, files)).stdout)
    assert (one["digit"], one["unsure"]) == ("3", False)
    assert (several["digit"], several["unsure"]) == (str(softmax(prepare(row_of_digits), weights).argmax()), False)


CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def test_a_model_of_clothes_names_them_and_sees_the_whole_picture(tmp_path):
    """Two parts beside the middle, which a reader of digits would take for a row and move."""
    picture, weights = np.zeros((28, 28), np.uint8), np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)
    picture[2:12, 3:7] = picture[3:15, 14:20] = 200
    write_model(tmp_path / "linear.onnx", weights, classes=CLOTHES, preparation="fit")
    Image.fromarray(picture).save(tmp_path / "clothes.png")
    (row,) = json.loads(predict(tmp_path, "--json", str(tmp_path / "clothes.png")).stdout)
    (probabilities,) = softmax(picture, weights)
    second, first = np.argsort(probabilities)[-2:]
    assert (row["digit"], row["second"]) == (CLOTHES[first], CLOTHES[second])
    assert row["confidence"] == pytest.approx(probabilities[first], abs=1e-5)


def test_nothing_heavy_is_imported(folder):
    script = (
        "import runpy, sys; runpy.run_module('apps.predict', run_name='__main__', alter_sys=True);"
        "sys.exit(' '.join({'tensorflow', 'keras', 'scipy', 'pandas', 'fastapi'} & set(sys.modules)) or None)"
    )
    command = [sys.executable, "-c", script, "--model", str(folder / "linear.onnx"), str(folder / "1.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
