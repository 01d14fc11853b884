"""`python -m mnist_reader`, as a user runs it, with a small linear model."""

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

from mnist_reader.picture import FORMATS
from mnist_reader.preparation import digit_image
from tests.clones import ROOT
from tests.digits import render
from tests.linear import ridge_regression, softmax, write_model
from tests.mnist_reader.drawn import DIGITS, LABELS


@pytest.fixture(scope="module")
def weights():
    """`(784, 10)`, from scikit-learn's digits."""
    return ridge_regression(np.stack([digit_image(render(image)) for image in DIGITS]), LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, weights):
    """A folder with linear.onnx, 0.png … 9.png, and 2026.png, a row of four."""
    folder = tmp_path_factory.mktemp("command")
    write_model(folder / "linear.onnx", weights)
    page = Image.new("L", (400, 100), "white")
    for digit, image in enumerate(DIGITS[10:20]):  # these are 0 to 9
        render(image).save(folder / f"{digit}.png")
    for place, digit in enumerate("2026"):
        page.paste(Image.open(folder / f"{digit}.png"), (40 + 90 * place, 18))
    page.save(folder / "2026.png")
    return folder


def command(folder, *arguments):
    model = str(folder / "linear.onnx")
    return [sys.executable, "-m", "mnist_reader", "--model", model, *map(str, arguments)]


def read(folder, *arguments, stdin=b""):
    return subprocess.run(command(folder, *arguments), cwd=ROOT, input=stdin, capture_output=True, check=False)


def rows_of(done):
    return list(csv.DictReader(io.StringIO(done.stdout.decode())))


def test_help_names_the_formats(folder):
    text = read(folder, "--help").stdout.decode()
    assert all(form in text for form in FORMATS)
    assert text.startswith("usage: python -m mnist_reader ")


def test_no_files_on_a_terminal_is_an_error_and_not_a_wait(folder):
    terminal, ours = os.openpty()
    done = subprocess.run(command(folder), cwd=ROOT, stdin=ours, capture_output=True, check=False, timeout=60)
    for end in (terminal, ours):
        os.close(end)
    assert done.returncode == 2
    assert b"error: expected picture files" in done.stderr.splitlines()[-1]


def test_table_is_aligned_and_names_each_digit(folder):
    done = read(folder, *(folder / f"{digit}.png" for digit in range(10)))
    assert (done.returncode, done.stderr) == (0, b"")
    heading, *rows = done.stdout.decode().splitlines()
    assert heading.split() == ["file", "digit", "confidence", "second", "choice"]
    assert [row.split()[1] for row in rows] == list("0123456789")
    assert len({(len(row), row.index("%")) for row in rows}) == 1


def test_json_holds_the_probabilities_that_numpy_computes(folder, weights):
    file = folder / "3.png"
    (row,) = json.loads(read(folder, "--json", file).stdout)
    (probabilities,) = softmax(digit_image(file), weights)
    second, first = np.argsort(probabilities)[-2:]
    assert row == {
        "file": str(file),
        "digit": str(first),
        "confidence": pytest.approx(probabilities[first], abs=1e-5),
        "second": str(second),
        "second_confidence": pytest.approx(probabilities[second], abs=1e-5),
        "unsure": False,
    }


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(folder, arguments):
    (row,) = rows_of(read(folder, "--csv", *arguments, stdin=(folder / "4.png").read_bytes()))
    assert (row["file"], row["digit"]) == ("-", "4")


def test_bad_files_have_a_line_each_and_the_others_are_answered(folder, tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes\n.txt").write_text("not a picture")
    bad = [str(tmp_path / "empty.png"), str(tmp_path / "none.png"), str(tmp_path / "notes\n.txt"), str(tmp_path)]
    one, two = (str(folder / f"{digit}.png") for digit in "12")
    done = read(folder, "--csv", bad[0], one, bad[1], two, *bad[2:])
    assert [(row["file"], row["digit"]) for row in rows_of(done)] == [(one, "1"), (two, "2")]
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[1] for line in lines] == [name.replace("\n", "\\n") for name in bad]
    assert all(line.startswith("error: ") and "expected" in line and "found" in line for line in lines)


def test_no_answer_at_all_is_an_empty_json_array(folder):
    done = read(folder, "--json", "nowhere.png")
    assert (done.returncode, json.loads(done.stdout)) == (1, [])


def test_many_files_are_answered_in_order_as_few_are(folder):
    names = [str(folder / f"{(i * 7) % 10}.png") for i in range(600)]
    names[300] = "nowhere.png"
    done = read(folder, "--csv", *names)
    del names[300]
    assert [(row["file"], row["digit"]) for row in rows_of(done)] == [(name, Path(name).stem) for name in names]
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)


@pytest.mark.parametrize("count", [400, 3000])  # 3,000 go to several processes
def test_a_consumer_that_stops_early_is_no_error(folder, count):
    arguments = command(folder, "--json", *[folder / "1.png"] * count)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def of_an_older_export(folder, path):
    model = onnx.load(folder / "linear.onnx")
    del model.metadata_props[:]
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda folder, path: None, "expected the exported model, found no such file"),
        (lambda folder, path: path.write_bytes(b"no model"), "expected an ONNX model, found"),
        (of_an_older_export, "expected a model that says its classes, found none ('title'); export it again"),
    ],
)
def test_what_is_no_model_of_digits_ends_the_command_in_one_line(folder, tmp_path, write, expected):
    write(folder, tmp_path / "linear.onnx")
    done = read(tmp_path, "any.png")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert done.stderr.decode().startswith(f"error: {tmp_path / 'linear.onnx'}: {expected}")


def test_a_row_of_digits_is_read_as_one_number(folder, weights):
    (row,) = json.loads(read(folder, "--json", folder / "2026.png").stdout)
    digits = np.stack([digit_image(folder / f"{digit}.png") for digit in "2026"])
    assert (row["digit"], row["second"], row["second_confidence"], row["unsure"]) == ("2026", "", 0, False)
    assert row["confidence"] == pytest.approx(softmax(digits, weights).max(axis=1).prod(), abs=0.02)  # cut out of a row
    line = read(folder, folder / "2026.png").stdout.decode().splitlines()[1]
    assert line.split()[1:] == ["2026", f"{row['confidence']:.2%}"]


def test_what_is_below_the_threshold_is_marked_unless_all_is_accepted_as_single_digits(folder, weights, tmp_path):
    write_model(tmp_path / "linear.onnx", weights, threshold=1.0)
    files = [folder / "3.png", folder / "2026.png"]
    (row,) = rows_of(read(tmp_path, "--csv", files[0]))
    assert (row["digit"], row["unsure"]) == ("3", "True")
    assert read(tmp_path, files[0]).stdout.decode().splitlines()[1].endswith("  unsure")
    rows = json.loads(read(tmp_path, "--json", "--accept-all", *files).stdout)
    whole = str(softmax(digit_image(files[1]), weights).argmax())
    assert [(row["digit"], row["unsure"]) for row in rows] == [("3", False), (whole, False)]
