"""apps.collect: folders of pictures become a data set that `dvc repro` trains on."""

import fcntl
import hashlib
import math
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from apps import collect as program
from apps.collect import dataset as module
from mnist.core.errors import run
from mnist.core.params import load_dataset, load_recipe
from mnist.data.sources import fetch
from tests.clones import repository, write_yaml
from tests.conftest import ROOT
from tests.digits import write_idx_folder

SMALL_DATA = (ROOT / "recipes/small_data.yaml").read_text(encoding="utf-8")
IDX_NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
NAMED = "or pictures whose names begin with the class, such as 7_01.png"
WAITS = "waiting for another apps.collect in this project"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with nothing but its recipes and data sets, entered."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name in ("recipes", "datasets"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(root):
    """Ten pictures each of two classes in pictures/; each has a bar at a place of its own."""
    for name, turned in (("flat", True), ("upright", False)):
        (root / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            image = Image.new("L", (60, 60), 255)
            box = (20 + number, 5, 25 + number, 55)
            ImageDraw.Draw(image).rectangle((box[1], box[0], box[3], box[2]) if turned else box, 0)
            image.save(root / "pictures" / name / f"{number}.png")
    return root / "pictures"


@pytest.fixture
def collect(monkeypatch, capsys):
    """Run the program in this process: its exit code, its lines on stdout, and its text on stderr."""

    def collect(*arguments):
        monkeypatch.setattr(sys, "argv", ["apps.collect", *map(str, arguments)])
        code = 0
        try:
            run(program.main)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            print("" if isinstance(end.code, int) else end.code, file=sys.stderr)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out.splitlines(), err=err)

    return collect


def files_of(root):
    """Every file but the pictures, by its path."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".png"}


def idx(path):
    """Shape and elements of an IDX file, read without the code under test."""
    content = path.read_bytes()
    shape = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    return np.frombuffer(content[4 + 4 * content[3] :], np.uint8).reshape(shape)


def idx_bytes(shape, value=0):
    """An IDX file of this shape, all of whose elements have one value."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes([value]) * math.prod(shape)


def test_a_folder_for_each_class_becomes_four_files_a_data_set_and_the_recipe_for_small_data(collect, folder, root):
    (folder / "flat" / "broken.png").write_bytes(b"no picture")
    done = collect("pictures", "own", "--title", "Bars")
    assert done.code == 0
    assert re.fullmatch(r"left out pictures/flat/broken\.png: expected a picture [^\n]*\n", done.err)
    assert done.out[0].endswith("to test with, 1 left out")
    assert done.out[1:] == [
        "datasets/own.yaml: 2 classes (flat, upright), images in data/own",
        "params.yaml: now recipes/small_data.yaml with dataset own, for fewer than 10,000 images; "
        "undo: cp recipes/previous.yaml params.yaml",
        "next: dvc repro",
    ]
    images, labels, _, test_labels = (idx(root / "data/own" / name) for name in IDX_NAMES)
    assert images.shape[1:] == (28, 28) and len(images) == len(labels)
    assert sorted([*labels, *test_labels]) == [0] * 10 + [1] * 10
    for image, label in zip(images, labels, strict=True):  # dark on light became light on dark; a bar is longer one way
        rows, columns = (np.count_nonzero((image > 128).any(axis=axis)) for axis in (1, 0))
        assert (columns > rows) == (label == 0)
    dataset = load_dataset("own")
    assert (dataset.title, dataset.preparation, dataset.size) == ("Bars", "fit", (28, 28))
    assert (dataset.classes, dataset.sources) == (["flat", "upright"], ["file:data/own"])
    first = (root / "datasets/own.yaml").read_text().splitlines()[0]
    assert first == "# made by: python -m apps.collect pictures own --title Bars"
    assert (root / "params.yaml").read_text() == SMALL_DATA
    assert (root / "recipes/previous.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_the_way_back_is_git_restore_where_git_has_the_parameters(collect, folder, root):
    clone = repository(root)
    clone.commit("project")
    assert "undo: git restore --staged --worktree params.yaml" in collect("pictures", "own").out[2]
    assert not (root / "recipes/previous.yaml").exists()
    clone.run("git", "restore", "--staged", "--worktree", "params.yaml")
    assert load_recipe().dataset == "mnist"


def test_with_images_enough_only_the_data_set_changes(collect, folder, root, monkeypatch):
    monkeypatch.setattr(module, "FEW", 16)
    before = (root / "params.yaml").read_text()
    done = collect("pictures", "123")
    assert done.out[2] == "params.yaml: dataset is now 123 instead of mnist"
    line = "dataset: mnist            # a file of datasets/"
    assert line in before
    assert (root / "params.yaml").read_text() == before.replace(line, 'dataset: "123"            # a file of datasets/')


def test_a_recipe_that_names_the_data_set_stays_as_it_is_and_small_data_serves_others(collect, folder, root):
    collect("pictures", "own")
    changed = SMALL_DATA.replace("epochs: 60", "epochs: 7")
    (root / "params.yaml").write_text(changed)
    assert collect("pictures", "own").out[2] == "params.yaml: left as it is, since it names own already"
    assert (root / "params.yaml").read_text() == changed
    assert collect("pictures", "bars").out[2] == "params.yaml: dataset is now bars instead of own"
    assert (root / "params.yaml").read_text() == changed.replace("dataset: own  ", "dataset: bars ")


def test_the_parameters_keep_their_mode_line_ends_and_stay_behind_a_link(collect, folder, root, monkeypatch):
    monkeypatch.setattr(module, "FEW", 0)
    (root / "elsewhere").mkdir()
    path = (root / "params.yaml").rename(root / "elsewhere/params.yaml")
    path.write_bytes(before := path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    (root / "params.yaml").symlink_to("elsewhere/params.yaml")
    assert collect("pictures", "other").code == 0
    assert (root / "params.yaml").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == before.replace(b"dataset: mnist", b"dataset: other", 1)


def test_the_same_pictures_give_the_same_bytes_and_another_seed_another_split(collect, folder):
    def digests(*options):
        assert collect("pictures", "own", *options).code == 0
        return load_dataset("own").digests

    assert digests() == digests() != digests("--seed", "1")


def test_a_split_of_ones_own_is_kept(collect, folder, root):
    for part, numbers in (("train", range(7)), ("test", range(7, 10))):
        for name in ("flat", "upright"):
            (folder / part / name).mkdir(parents=True)
            for number in numbers:
                (folder / name / f"{number}.png").rename(folder / part / name / f"{number}.png")
    shutil.copy(folder / "train/flat/0.png", folder / "test/flat/again.png")
    done = collect("pictures", "own")
    assert done.out[0] == "14 pictures to train on, 7 to test with, 0 left out"
    assert done.err == "warning: 1 of the test pictures are among those to train on as well\n"
    assert sorted(idx(root / "data/own/t10k-labels-idx1-ubyte")) == [0, 0, 0, 0, 1, 1, 1]


def test_idx_files_stay_where_they_are(collect, root):
    digests = write_idx_folder(root / "elsewhere", gz=True)
    assert collect("elsewhere", "eights", "--as", "digits").code == 0
    dataset = load_dataset("eights")
    assert (dataset.digests, dataset.preparation) == (digests, "ink")
    assert (dataset.classes, dataset.sources) == ([str(digit) for digit in range(10)], ["file:elsewhere"])
    assert not (root / "data").exists()


def test_classes_and_shape_of_idx_files_that_were_changed_by_hand_stay(collect, root):
    (root / "elsewhere").mkdir()
    for name in IDX_NAMES:
        content = idx_bytes((6, 20, 30), 3) if "images" in name else idx_bytes((6,))[:-1] + b"\1"
        (root / "elsewhere" / name).write_bytes(content)
    assert collect("elsewhere", "own").code == 0
    assert load_dataset("own").size == (20, 30)
    changed = load_dataset("own").model_dump(by_alias=True) | {"classes": ["cat", "dog"], "shape": [30, 20]}
    write_yaml(root / "datasets/own.yaml", changed)
    assert collect("elsewhere", "own", "--title", "Animals").code == 0
    dataset = load_dataset("own")
    assert (dataset.title, dataset.classes, dataset.size) == ("Animals", ["cat", "dog"], (30, 20))
    done = collect("elsewhere", "own", "--shape", "20", "30")
    assert done.err == "error: elsewhere: expected no --shape, as IDX files have their own, found one\n"


def start(*arguments):
    """Start the program in a process of its own."""
    command, pipes = (
        [sys.executable, "-m", "apps.collect", *arguments],
        {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
    )
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, **pipes)


@pytest.mark.parametrize(
    "names", [("one", "two"), ("own", "own"), ("own", "own", "own"), ("own", "idx", "two")], ids=" ".join
)
@pytest.mark.slow
@pytest.mark.parametrize("turn", range(int(os.environ.get("COLLECTS", "1"))))
def test_what_runs_at_once_have_said_is_true_afterwards(folder, root, names, turn):
    (root / ".dvc").mkdir()
    write_idx_folder(root / "idx")
    for number in range(len(names)):
        shutil.copytree(folder, root / f"pictures{number}")
        (root / f"pictures{number}/flat/{number}.png").unlink()  # so that the data sets differ
    before = (root / "params.yaml").read_bytes()
    started = [start("idx" if name == "idx" else f"pictures{number}", name) for number, name in enumerate(names)]
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * len(names)
    assert {line for _, errors in said for line in errors.splitlines()} <= {WAITS}
    for name in names:
        dataset = load_dataset(name)
        (source,) = dataset.sources
        for file, digest in dataset.digests.items():
            path = Path(source.removeprefix("file:"), file)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert load_recipe().dataset in names
    (way_back,) = re.findall("undo: (.*)", "".join(output for output, _ in said))
    assert way_back == "cp recipes/previous.yaml params.yaml"
    earlier = (
        b"dataset: idx  " if b"dataset: idx  " in (root / "recipes/previous.yaml").read_bytes() else b"dataset: mnist"
    )
    assert (root / "recipes/previous.yaml").read_bytes() == before.replace(b"dataset: mnist", earlier, 1)


def test_a_run_waits_for_another_one_of_the_same_project(folder, root):
    (root / ".dvc").mkdir()
    holder = os.open(root / ".dvc", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    process = start("pictures", "own")
    assert process.stderr.readline() == f"{WAITS}\n"
    assert not (root / "data").exists()
    os.close(holder)
    process.communicate()
    assert process.returncode == 0 and load_dataset("own").sources == ["file:data/own"]


@pytest.mark.parametrize("name", ["ünï", "_x", "²", "n" * 65, "../x", "raw", ""])
def test_a_name_that_no_path_or_parameter_can_have_is_refused(collect, folder, name):
    done = collect("pictures", name)
    assert (done.code, done.err.count("error: argument name: expected")) == (2, 1)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--test", "1"], "argument --test: expected a fraction between 0 and 1, found 1.0"),
        (["--shape", "7", "28"], "argument --shape: expected 8 to 128 pixels a side, found [7, 28]"),
        (["--seed", "-1"], "argument --seed: expected 0 or more, found -1"),
    ],
)
def test_an_option_out_of_range_is_refused(collect, folder, option, line):
    done = collect("pictures", "own", *option)
    assert done.code == 2 and done.err.endswith(f"error: {line}\n\n")


@pytest.mark.parametrize("names", [(": d", "b"), ("?x", "yes"), ("null", "1e3"), ("#", "a: b"), ("-", "'\"")])
def test_names_that_mean_something_in_yaml_are_texts(collect, folder, names):
    for old, new in zip(("flat", "upright"), names, strict=True):
        (folder / old).rename(folder / new)
    assert collect("pictures", "own").code == 0
    assert set(load_dataset("own").classes) == set(names)


def test_pictures_are_never_written_over(collect, folder, root):
    (root / "data").mkdir()
    folder.rename(root / "data/own")
    done = collect("data/own", "own")
    assert done.err == "error: data/own: expected a folder that is not in data/own, nor around it\n"
    shutil.copytree(root / "data/own", root / "pictures")
    done = collect("pictures", "own")
    assert done.err.startswith("error: data/own: expected nothing, or the files of an earlier run, found ")
    assert len(list((root / "data/own").rglob("*.png"))) == 20


def test_a_failure_at_the_last_step_leaves_the_earlier_files(collect, folder, root, monkeypatch):
    assert collect("pictures", "own").code == 0
    before = files_of(root)
    done = collect("pictures", "own", "--seed", "1", "--title", "")
    assert done.err == "error: datasets/own.yaml: title: expected to have at least 1 character, found ''\n"
    assert files_of(root) == before


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("params.yaml", "", "params.yaml: expected a mapping, found NoneType"),
        ("params.yaml", "train: [", "params.yaml: not YAML at line 1: "),
        ("params.yaml", "seed: 0\n", "params.yaml: recipe: expected a value, found nothing"),
        ("params.yaml", None, "params.yaml: no such file; run this in the project's folder"),
        ("params.yaml", "? dataset\n: mnist\n" + SMALL_DATA.replace("dataset:", "#"), "params.yaml: expected a line"),
        ("recipes/small_data.yaml", None, "recipes/small_data.yaml: no such file"),
        ("datasets/own.yaml", "classes: [a, b]\n", "datasets/own.yaml: sources: expected a value, found nothing"),
        (
            "datasets/own.yaml",
            (ROOT / "datasets/mnist.yaml").read_text(),
            "datasets/own.yaml: expected a name that is free, found a data set from https://",
        ),
    ],
)
def test_what_is_wrong_in_the_project_is_said_and_nothing_is_written(collect, folder, root, name, content, line):
    (root / name).unlink(missing_ok=True)
    if content is not None:
        (root / name).write_text(content)
    before = files_of(root)
    done = collect("pictures", "own")
    assert done.code == 1 and done.err.startswith(f"error: {line}")
    assert all(said.startswith(f"error: {name}: ") for said in done.err.splitlines())
    assert files_of(root) == before


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("train-images-idx3-ubyte", b"garbage", "expected IDX magic"),
        ("train-images-idx3-ubyte", (1437, 32, 32), "expected images of 32×32 pixels, found 28×28"),
        ("train-images-idx3-ubyte", (1437, 7, 28), "expected images of 8 to 128 pixels a side, found [7, 28]"),
        ("train-images-idx3-ubyte", (1437,), "expected images of 8 to 128 pixels a side, found []"),
        ("train-labels-idx1-ubyte", (1437, 1, 1), "expected labels, in 1 dimension, found 3 dimensions"),
        ("train-labels-idx1-ubyte", (1437,), "expected labels of at least 2 classes, found 1"),
        ("t10k-labels-idx1-ubyte", (300,), "expected equal counts, found 360 images and 300 labels"),
        (
            "train-labels-idx1-ubyte",
            idx_bytes((1437,), 7),
            "expected images to train on with every label, found none of 0",
        ),
        ("t10k-images-idx3-ubyte", None, "expected t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz, found neither"),
    ],
)
def test_idx_files_that_do_not_belong_together_are_refused(collect, root, name, content, line):
    write_idx_folder(root / "elsewhere")
    (root / "elsewhere" / name).unlink()
    if content:
        (root / "elsewhere" / name).write_bytes(idx_bytes(content) if isinstance(content, tuple) else content)
    done = collect("elsewhere", "own")
    assert done.code == 1 and line in done.err and done.err.count("\n") == 1


def alone(folder):
    shutil.rmtree(folder / "flat")


def empty(folder):
    alone(folder)
    (folder / "flat").mkdir()


def alien(folder):
    (folder / "train").mkdir()
    for name in ("flat", "upright"):
        (folder / name).rename(folder / "train" / name)
    (folder / "test" / "round").mkdir(parents=True)


def untested(folder):
    alien(folder)
    (folder / "test" / "round").rmdir()


def only_train(folder):
    (folder / "flat").rename(folder / "Train")


def unprintable(folder):
    (folder / "flat").rename(folder / "fl\nat")


def unreadable(folder):
    for file in (folder / "flat").iterdir():
        file.write_bytes(b"no picture")


def many(folder):
    for number in range(255):
        (folder / str(number)).mkdir()


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (shutil.rmtree, "pictures: expected a folder of pictures, a .csv or a .npz, found none"),
        (alone, f"pictures: expected a folder for each of at least 2 classes, {NAMED}; found upright"),
        (many, "pictures: expected at most 256 classes, found 257"),
        (empty, "pictures: flat: expected at least 2 pictures, found 0"),
        (alien, "pictures/test/round: expected a class of pictures/train, found another"),
        (untested, "pictures: expected pictures to test with, found none"),
        (only_train, "pictures: expected train and test, or a folder for each class; found Train"),
        (unprintable, "pictures: expected names of folders that can be printed, found 'fl\\nat'"),
        (unreadable, "pictures: flat: expected a picture to train on that can be read, found none"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line_and_nothing_is_written(collect, folder, root, harm, line):
    harm(folder)
    before = files_of(root)
    done = collect("pictures", "own")
    assert (done.code, done.err.splitlines()[-1]) == (1, f"error: {line}")
    assert files_of(root) == before and not (root / "data").exists()


def table(images, labels=None, heading=True):
    """A CSV as Kaggle has it, written without the code under test."""
    names = [*(["label"] if labels is not None else []), *(f"pixel{i}" for i in range(images[0].size))]
    rows = [",".join(names)] if heading else []
    for number, image in enumerate(images):
        rows.append(",".join(map(str, [*([] if labels is None else [labels[number]]), *image.ravel().tolist()])))
    return "\n".join(rows) + "\n"


def digits(count, classes=3, shape=(28, 28)):
    """Images, each with bytes of its own, and labels that take turns."""
    labels = np.arange(count, dtype=np.uint8) % classes
    return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8), labels


def gathered(root):
    """The images of both parts of data/own, as sorted pairs of label and bytes."""
    x, y, test_x, test_y = (idx(root / "data/own" / name) for name in IDX_NAMES)
    return [
        sorted(zip(labels.tolist(), map(bytes, images), strict=True)) for images, labels in ((x, y), (test_x, test_y))
    ]


def pairs(images, labels):
    return sorted(zip(labels.tolist(), map(bytes, images), strict=True))


@pytest.mark.parametrize("heading", [True, False], ids=["heading", "no heading"])
def test_a_csv_as_kaggles_is_split_and_its_bytes_stay(collect, root, heading):
    images, labels = digits(30)
    (root / "train.csv").write_text(table(images, labels, heading))
    done = collect("train.csv", "own", "--as", "digits")
    assert (done.code, done.err) == (0, "")
    assert done.out[0] == "24 images to train on, 6 to test with"
    train, test = gathered(root)
    assert sorted(train + test) == pairs(images, labels)
    assert [label for label, _ in test] == [0, 0, 1, 1, 2, 2]
    dataset = load_dataset("own")
    assert (dataset.classes, dataset.preparation, dataset.size) == (["0", "1", "2"], "ink", (28, 28))
    before = files_of(root / "data")
    assert collect("train.csv", "own", "--as", "digits").code == 0
    assert files_of(root / "data") == before


def test_a_csv_whose_heading_says_that_the_label_comes_last_is_read_so(collect, root):
    images, labels = digits(30)
    lines = [line.split(",") for line in table(images, labels).splitlines()]
    lines[0][0] = '"class"'  # as OpenML's mnist_784
    (root / "mnist_784.csv").write_text("".join(",".join([*line[1:], line[0]]) + "\n" for line in lines))
    assert collect("mnist_784.csv", "own").code == 0
    train, test = gathered(root)
    assert sorted(train + test) == pairs(images, labels)


def test_a_folder_of_tables_keeps_its_split_and_labels_need_not_begin_at_0(collect, root):
    (root / "kaggle").mkdir()
    images, labels = digits(12)
    (root / "kaggle/mnist_train.csv").write_text(table(images[:9], labels[:9] + 5))
    (root / "kaggle/mnist_test.csv").write_text(table(images[9:], labels[9:] + 5).replace("\n", "\r\n"))
    assert collect("kaggle", "own").code == 0
    assert gathered(root) == [pairs(images[:9], labels[:9]), pairs(images[9:], labels[9:])]
    assert load_dataset("own").classes == ["5", "6", "7"]


def test_a_folder_with_a_table_for_testing_alone_is_refused_in_one_line(collect, root):
    (root / "kaggle").mkdir()
    (root / "kaggle/test.csv").write_text(table(*digits(6)))
    done = collect("kaggle", "own")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("error: kaggle: expected a folder for each of at least 2 classes, ")


def test_a_csv_of_images_of_another_size_needs_the_size(collect, root):
    images, labels = digits(9, shape=(8, 12))
    (root / "small.csv").write_text(table(images, labels))
    expected = "expected 784 columns, for 28×28 pixels, or 785, with a label before them, found 97"
    assert collect("small.csv", "own").err == f"error: small.csv: {expected}; --shape ROWS COLUMNS says another size\n"
    assert collect("small.csv", "own", "--shape", "8", "12").code == 0
    assert load_dataset("own").size == (8, 12)


@pytest.mark.parametrize("kind", ["Keras", "MedMNIST", "MedMNIST in colour"])
def test_archives_of_keras_and_medmnist_keep_their_split(collect, root, kind):
    images, labels = digits(20, shape=(20, 20))
    train, test = (images[:14], labels[:14]), (images[14:], labels[14:])
    if kind == "Keras":
        np.savez(root / "own.npz", x_train=train[0], y_train=train[1].astype(np.int64), x_test=test[0], y_test=test[1])
    else:
        colours = np.stack([images] * 3, axis=-1) if "colour" in kind else images  # grey in all three
        column = labels[:, None]
        arrays = {f"{part}_images": colours[at] for part, at in PARTS.items()}
        np.savez_compressed(root / "own.npz", **arrays, **{f"{part}_labels": column[at] for part, at in PARTS.items()})
    assert collect("own.npz", "own").code == 0
    assert gathered(root) == [pairs(*train), pairs(*test)]
    assert load_dataset("own").size == (20, 20)


PARTS = {"train": slice(0, 10), "val": slice(10, 14), "test": slice(14, 20)}


def test_pictures_whose_names_begin_with_the_class_need_no_folders(collect, folder, root):
    (root / "flat").mkdir()
    for path in folder.glob("*/*.png"):
        shutil.copy(path, root / "flat" / f"{path.parent.name}_{path.name}")
    (root / "flat/notes.txt").write_text("no picture")
    assert collect("pictures", "nested").code == 0
    assert collect("flat", "named").code == 0
    assert load_dataset("named").classes == ["flat", "upright"]
    assert sorted(pairs_of(root, "named")) == sorted(pairs_of(root, "nested"))


def pairs_of(root, name):
    x, y, test_x, test_y = (idx(root / "data" / name / file) for file in IDX_NAMES)
    return [(label, bytes(image)) for image, label in [*zip(x, y, strict=True), *zip(test_x, test_y, strict=True)]]


@pytest.mark.parametrize("name", ["{0}-idx{1}-ubyte", "{0}.idx{1}-ubyte", "{0}.idx{1}-ubyte.gz", "packed"])
def test_idx_files_are_found_under_their_usual_names(collect, root, name):
    digests = write_idx_folder(root / "elsewhere", gz=name.endswith(".gz") or name == "packed")
    for path in (root / "elsewhere").iterdir():
        part, number = re.fullmatch(r"(.+)-idx(\d)-ubyte(?:\.gz)?", path.name).groups()
        path.rename(path.with_name(name.format(part, number) if name != "packed" else path.stem))
    assert collect("elsewhere", "own").code == 0
    assert load_dataset("own").digests == digests
    (root / "raw").mkdir()
    fetch(["file:elsewhere"], digests, root / "raw")
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "raw").iterdir()} == digests


IMAGES, LABELS = digits(6)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            table(IMAGES),
            "expected a label for each image, found none; `python -m apps.predict own.csv` reads such a table",
        ),
        (table(IMAGES, LABELS * 0), "expected labels of at least 2 classes, found 1"),
        (table(IMAGES[:4], LABELS[:4]), "expected at least 2 images of each class, found 1 of 1"),
        (
            table(IMAGES, LABELS.astype(int) + 254),
            "expected integers from 0 to 255 in 785 columns: could not convert string '256'",
        ),
        (
            table(IMAGES, LABELS)[:-20],
            "expected integers from 0 to 255 in 785 columns: the number of columns changed from 785 to 7",
        ),
        (table(IMAGES, LABELS).splitlines()[0], "expected a row for each image, found a heading alone"),
        ("Id,Label\n1,2\n", "expected 784 columns, for 28×28 pixels, or 785, with a label before them, found 2"),
        ("", "expected a row for each image, found an empty line"),
        ({"x_train": IMAGES / 255, "y_train": LABELS}, "x_train: expected integers from 0 to 255 (n, rows, columns)"),
        ({"x_train": IMAGES, "y_train": LABELS[:5]}, "y_train: expected 6 labels from 0 to 255, found uint8 (5,) from"),
        (
            {"x_train": IMAGES},
            "expected a label for each image, found none; `python -m apps.predict own.npz` reads such a table",
        ),
        (
            {"X": IMAGES, "y": LABELS},
            "expected x_train, y_train, x_test, y_test, or MedMNIST's names, or one array; fou",
        ),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS + 1}, "expected the labels of own"),
        ({"x_test": IMAGES, "y_test": LABELS}, "expected images to train on, found none"),
        ({"x_train": IMAGES[:, :7], "y_train": LABELS}, "expected images of 8 to 128 pixels a side, found (7, 28)"),
        (
            {"x_train": np.array([{}]), "y_train": LABELS},
            "expected a NumPy archive of numbers: Object arrays cannot be",
        ),
        (b"garbage", "expected a NumPy archive of numbers: File is not a zip file"),
    ],
)
def test_a_table_that_nearly_fits_is_refused_in_one_line_and_nothing_is_written(collect, root, content, line):
    path = root / ("own.csv" if isinstance(content, str) else "own.npz")
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = files_of(root)
    done = collect(path.name, "own")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith(f"error: {path.name}: {line}")
    assert files_of(root) == before


def test_a_missing_requirement_is_named_in_one_line(run_module):
    hide = "import sys; sys.modules['tqdm'] = None; from apps.collect import main; main()"
    done = run_module("-c", hide)
    line = "error: apps.collect needs tqdm; run `pip install --require-hashes -r requirements.txt`\n"
    assert (done.returncode, done.stderr) == (1, line)
