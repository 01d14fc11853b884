"""`python -m mnist_reader`, as a user runs it, with a small linear model."""

import csv
import functools
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from mnist_reader import command as command_module
from mnist_reader.command import answer, write_csv, write_table
from mnist_reader.picture import FORMATS
from mnist_reader.preparation import digit_image
from mnist_reader.reader import Digit, Reading
from tests.clones import ROOT
from tests.digits import render
from tests.linear import ridge_regression, softmax, write_model
from tests.mnist_reader.drawn import DIGITS, LABELS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks for Unix's terminals, shells and line ends")


@pytest.fixture(scope="module")
def weights():
    """`(784, 10)`, from scikit-learn's digits."""
    return ridge_regression(np.stack([digit_image(render(image)) for image in DIGITS]), LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, weights):
    """A folder with linear.onnx, 0.png … 9.png, 2026.png, a row of four, and blank.png."""
    folder = tmp_path_factory.mktemp("command")
    write_model(folder / "linear.onnx", weights)
    page = Image.new("L", (400, 100), "white")
    for digit, image in enumerate(DIGITS[10:20]):  # these are 0 to 9
        render(image).save(folder / f"{digit}.png")
    for place, digit in enumerate("2026"):
        page.paste(Image.open(folder / f"{digit}.png"), (40 + 90 * place, 18))
    page.save(folder / "2026.png")
    Image.new("L", (64, 64), "white").save(folder / "blank.png")
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
    assert heading.split() == ["file", "confidence", "text", "second", "choice"]
    texts = [row.replace("  unsure", "        ").split()[2] for row in rows]  # the 7 is, with less than 0.9
    assert texts == list("0123456789")
    assert len({(len(row), row.index("%")) for row in rows}) == 1


def test_json_holds_the_probabilities_that_numpy_computes(folder, weights):
    file = folder / "3.png"
    (row,) = json.loads(read(folder, "--json", file).stdout)
    (probabilities,) = softmax(digit_image(file), weights)
    second, first = np.argsort(probabilities)[-2:]
    assert row == {
        "file": str(file),
        "text": str(first),
        "confidence": pytest.approx(probabilities[first], abs=1e-5),
        "second": str(second),
        "second_confidence": pytest.approx(probabilities[second], abs=1e-5),
        "unsure": False,
        "empty": False,
    }


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(folder, arguments):
    (row,) = rows_of(read(folder, "--csv", *arguments, stdin=(folder / "4.png").read_bytes()))
    assert (row["file"], row["text"]) == ("-", "4")


def test_bad_files_have_a_line_each_and_the_others_are_answered(folder, tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes\n.txt").write_text("not a picture")
    bad = [str(tmp_path / name) for name in ("empty.png", "no\nne.png", "notes\n.txt")]
    one, two = (str(folder / f"{digit}.png") for digit in "12")
    done = read(folder, "--csv", bad[0], one, bad[1], two, *bad[2:])
    assert [(row["file"], row["text"]) for row in rows_of(done)] == [(one, "1"), (two, "2")]
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[1] for line in lines] == [name.replace("\n", "\\n") for name in bad]
    assert all(line.startswith("error: ") and "expected" in line and "found" in line for line in lines)


def test_no_answer_at_all_is_an_empty_json_array_and_a_table_without_a_heading(folder):
    done = read(folder, "--json", "nowhere.png")
    assert (done.returncode, json.loads(done.stdout)) == (1, [])
    assert read(folder, "nowhere.png").stdout == b""


def test_an_empty_picture_is_an_answer_and_an_error(folder):
    blank, one = str(folder / "blank.png"), str(folder / "1.png")
    done = read(folder, "--json", blank, one)
    assert done.returncode == 1
    assert done.stderr.decode() == f"error: {blank}: expected a digit, found an empty picture\n"
    empty, row = json.loads(done.stdout)
    nothing = {"text": "", "confidence": 0, "second": "", "second_confidence": 0, "unsure": True, "empty": True}
    assert empty == {"file": blank} | nothing
    assert (row["file"], row["text"], row["empty"]) == (one, "1", False)
    assert [row["empty"] for row in rows_of(read(folder, "--csv", blank, one))] == ["True", "False"]
    assert read(folder, blank).stdout.decode().splitlines()[1].split()[1:] == ["0.00%", "empty"]


def page_of(weights, *lines):
    """A page with these lines, each digit with the same image, read with the linear model."""
    image = digit_image(render(DIGITS[0]))
    (probabilities,) = map(tuple, softmax(image, weights))
    return Reading(
        tuple(
            tuple(
                Digit(label, 0.9, "0", 0.05, (0, 0, 1, 1), (0, 0, 9, 9), False, probabilities, image) for label in line
            )
            for line in lines
        )
    )


def test_a_page_keeps_its_lines_in_csv_and_stands_on_one_line_in_the_table(weights, capsys):
    row = answer("page.png", page_of(weights, "123", "45"))
    assert (row.text, row.second, row.empty) == ("123\n45", "", False)
    write_csv([row], ["page.png"])
    write_table([row], ["page.png"])
    printed = capsys.readouterr().out
    (saved,) = csv.DictReader(io.StringIO(printed[: printed.index("file  ")]))
    assert saved["text"] == "123\n45"
    assert printed.splitlines()[-1].split()[1:] == [f"{0.9**5:.2%}", "123", "/", "45"]


def test_many_files_are_answered_in_order_as_few_are(folder):
    names = [str(folder / f"{(i * 7) % 10}.png") for i in range(600)]
    names[300:302] = ["nowhere.png", str(folder / "blank.png")]
    done = read(folder, "--csv", *names)
    del names[300]
    expected = [(name, Path(name).stem.replace("blank", "")) for name in names]
    assert [(row["file"], row["text"]) for row in rows_of(done)] == expected
    errors = [line.split(": ")[1] for line in done.stderr.decode().splitlines()]
    assert (done.returncode, errors) == (1, ["nowhere.png", names[300]])


def test_where_there_is_no_shared_memory_many_files_are_read_in_one_process(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")  # of /dev/shm

    monkeypatch.setattr(command_module, "ProcessPoolExecutor", refuse)
    names = [str(folder / f"{i % 10}.png") for i in range(20)]
    read = functools.partial(command_module.read_file, model=folder / "linear.onnx")
    results = list(command_module.read_in_processes(names, read))
    assert [answer.text for ((answer, _),) in results] == [Path(name).stem for name in names]


@pytest.mark.parametrize("count", [400, 3000])  # 3,000 go to several processes
def test_a_consumer_that_stops_early_is_no_error(folder, count):
    arguments = command(folder, "--json", *[folder / "1.png"] * count)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("closed", "names", "expected"),
    [
        (">&-", ["1.png"], "error: standard output: expected an open one, found a closed one"),
        ("<&-", [], "error: -: expected a picture, found an empty file"),
    ],
)
def test_a_closed_stream_is_said_in_one_line(folder, closed, names, expected):
    line = f"{shlex.join(command(folder, *(folder / name for name in names)))} {closed}"
    done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1].endswith(expected)


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
    assert (row["text"], row["second"], row["second_confidence"], row["unsure"]) == ("2026", "", 0, False)
    alone = softmax(digits, weights).max(axis=1).prod()
    assert row["confidence"] == pytest.approx(alone, abs=0.06)  # cut out of a row, from afar
    line = read(folder, folder / "2026.png").stdout.decode().splitlines()[1]
    assert line.split()[1:] == [f"{row['confidence']:.2%}", "2026"]


def test_what_is_below_the_threshold_is_marked_unless_all_is_accepted_as_single_digits(folder, weights, tmp_path):
    write_model(tmp_path / "linear.onnx", weights, threshold=1.0)
    files = [folder / "3.png", folder / "2026.png"]
    (row,) = rows_of(read(tmp_path, "--csv", files[0]))
    assert (row["text"], row["unsure"]) == ("3", "True")
    assert read(tmp_path, files[0]).stdout.decode().splitlines()[1].split()[2] == "unsure"
    rows = json.loads(read(tmp_path, "--json", "--accept-all", *files).stdout)
    whole = str(softmax(digit_image(files[1]), weights).argmax())
    assert [(row["text"], row["unsure"]) for row in rows] == [("3", False), (whole, False)]


ALBUM = ["a-1.webp", "a.PNG", "b/2.png", "b/3.jpg", "b/b/4.tiff", "b.png"]  # by name: 1 to 6


@pytest.fixture
def album(tmp_path, folder):
    """A folder with pictures of 1 to 6, some of them in its folders, and with what is none of its pictures."""
    for name in [*ALBUM[::-1], ".hidden.png", ".hidden/1.png", "notes.txt", "model.onnx", "png"]:
        digit = ALBUM.index(name) + 1 if name in ALBUM else 0
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / f"{digit}.png", tmp_path / "album" / name)
    (tmp_path / "album/b/empty").mkdir()
    (tmp_path / "album/loop").symlink_to(tmp_path / "album")
    return tmp_path / "album"


def test_a_folder_stands_for_its_pictures_by_name_with_those_of_its_folders(folder, album):
    done = read(folder, "--csv", folder / "0.png", album, folder / "9.png")
    assert (done.returncode, done.stderr) == (0, b"")
    files = [folder / "0.png", *(album / name for name in ALBUM), folder / "9.png"]
    expected = list(zip(map(str, files), "01234569", strict=True))
    assert [(row["file"], row["text"]) for row in rows_of(done)] == expected


def test_a_picture_in_a_folder_that_cannot_be_read_is_an_error_also_when_it_is_heic(folder, album):
    names = [album / "x.avif", album / "y.heic", album / "z.HEIF"]
    for name in names:
        name.write_bytes(b"no picture")
    done = read(folder, "--csv", album)
    assert (done.returncode, len(rows_of(done))) == (1, 6)
    assert [line.split(": ")[1] for line in done.stderr.decode().splitlines()] == [str(name) for name in names]


def test_a_folder_without_pictures_is_one_error(folder, album):
    done = read(folder, album / "b/empty", folder / "1.png")
    assert (done.returncode, done.stdout.count(b"\n")) == (1, 2)
    assert done.stderr.decode() == f"error: {album / 'b/empty'}: expected pictures in the folder, found none\n"


@pytest.mark.parametrize("name", ["out.png", "out.JPG", "out.webp"])
def test_show_writes_a_picture_and_changes_no_answer(folder, tmp_path, name):
    file = folder / "2026.png"
    done = read(folder, "--csv", "--show", tmp_path / name, file)
    assert (done.returncode, done.stdout) == (0, read(folder, "--csv", file).stdout)
    with Image.open(tmp_path / name) as drawing:
        assert min(drawing.size) > 100
        assert len(drawing.getcolors(2**24)) > len(Image.open(file).convert("RGB").getcolors(2**24))


def test_show_draws_on_standard_input_and_on_an_empty_picture(folder, tmp_path):
    done = read(folder, "--show", tmp_path / "4.png", stdin=(folder / "4.png").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert read(folder, "--show", tmp_path / "blank.png", folder / "blank.png").returncode == 1
    assert {path.name for path in tmp_path.iterdir()} == {"4.png", "blank.png"}


@pytest.mark.parametrize(
    ("target", "names", "expected"),
    [
        ("out.png", ["1.png", "2.png"], "expected one picture to draw on, found 2"),
        ("out.png", ["folder"], "expected one picture to draw on, found a folder"),
        ("out.png", ["1.csv"], "expected one picture to draw on, found a table"),
        ("out.png", ["nowhere"], "expected a readable file, found"),
        ("1.png", ["1.png"], "expected a new picture, found the one that is read"),
        ("out.txt", ["1.png"], "expected a name that ends in .png, .jpg or the like, found 'out.txt'"),
        ("nowhere/out.png", ["1.png"], "expected a file that can be written, found: No such file or directory"),
    ],
)
def test_what_show_cannot_do_is_said_in_one_line(folder, tmp_path, target, names, expected):
    (tmp_path / "folder").mkdir()
    for name in ("1.png", "2.png", "folder/1.png"):
        shutil.copy(folder / "1.png", tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    done = read(folder, "--show", tmp_path / target, *(tmp_path / name for name in names))
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert expected in done.stderr.decode()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def write_table_of(path, labels):
    """The digits 0 to 9 as a table of pixels, written without the code under test."""
    images = np.stack([digit_image(render(image)) for image in DIGITS[10:20]])
    if path.suffix == ".npz":
        names = {"Keras": "x_test", "MedMNIST": "test_images", "one array": "anything"}
        train = {"Keras": {"x_train": images[:1]}, "MedMNIST": {"train_images": images[:1]}, "one array": {}}
        np.savez(path, **{names[labels]: images}, **train[labels])
        return
    rows = [[*([digit] if labels else []), *image.ravel().tolist()] for digit, image in enumerate(images)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("name", "labels"),
    [("test.csv", False), ("TRAIN.CSV", True), ("a.npz", "Keras"), ("a.npz", "MedMNIST"), ("a.npz", "one array")],
)
def test_a_table_of_pixels_is_read_image_by_image(folder, weights, tmp_path, name, labels):
    write_table_of(tmp_path / name, labels)
    done = read(folder, "--csv", tmp_path / name)
    assert (done.returncode, done.stderr) == (0, b"")
    rows = rows_of(done)
    assert [(row["file"], row["text"]) for row in rows] == [(f"{tmp_path / name}:{n + 1}", str(n)) for n in range(10)]
    expected = softmax(np.stack([digit_image(folder / f"{digit}.png") for digit in range(10)]), weights).max(axis=1)
    assert np.allclose([float(row["confidence"]) for row in rows], expected, atol=1e-5)


def test_a_table_stands_beside_pictures_and_its_lines_are_aligned(folder, tmp_path):
    write_table_of(tmp_path / "test.csv", labels=False)
    done = read(folder, "--accept-all", tmp_path / "test.csv", folder / "3.png")
    lines = done.stdout.decode().splitlines()[1:]
    assert [line.split()[2] for line in lines] == [*"0123456789", "3"]
    assert len({line.index("%") for line in lines}) == 1


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("gone.csv", None, "expected a readable file, found: No such file or directory"),
        ("scores.csv", b"name,score\nAda,1\n", "expected 784 columns, for 28×28 pixels, or 785, with a lab"),
        (
            "half.csv",
            b"0," * 783 + b"0\n0,0\n",
            "expected integers from 0 to 255 in 784 columns: the number of columns",
        ),
        (
            "large.csv",
            b"0," * 783 + b"256\n",
            "expected integers from 0 to 255 in 784 columns: could not convert string",
        ),
        ("damaged.npz", b"PK\3\4", "expected a NumPy archive of numbers: "),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_and_the_pictures_are_answered(folder, tmp_path, name, content, line):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = read(folder, "--csv", tmp_path / name, folder / "3.png")
    assert (done.returncode, [row["text"] for row in rows_of(done)]) == (1, ["3"])
    assert done.stderr.decode().startswith(f"error: {tmp_path / name}: {line}")
    assert done.stderr.count(b"\n") == 1
