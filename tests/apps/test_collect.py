"""apps.collect: folders of pictures become a data set that `dvc repro` trains on."""

import math
import shutil
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw
from ruamel.yaml import YAML
from sklearn.datasets import load_digits

from mnist.core.params import load_params
from tests.clones import small_clone
from tests.conftest import ROOT
from tests.digits import render, write_idx_folder

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """Ten pictures each of two classes, in a project with params.yaml; each has a bar at a place of its own."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name, turned in (("flat", True), ("upright", False)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            image = Image.new("L", (60, 60), 255)
            box = (20 + number, 5, 25 + number, 55)
            ImageDraw.Draw(image).rectangle((box[1], box[0], box[3], box[2]) if turned else box, 0)
            image.save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


def idx(path):
    """Shape and elements of an IDX file, read without the code under test."""
    content = path.read_bytes()
    shape = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    return np.frombuffer(content[4 + 4 * content[3] :], np.uint8).reshape(shape)


def idx_bytes(shape, value=0):
    """An IDX file of this shape, all of whose elements have one value."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes([value]) * math.prod(shape)


def test_a_folder_for_each_class_becomes_four_files_and_an_entry(run_module, folder, tmp_path):
    (folder / "flat" / "broken.png").write_bytes(b"no picture")
    before = (tmp_path / "params.yaml").read_text()
    done = run_module("-m", "apps.collect", "pictures", "own", "--title", "Bars")
    assert done.returncode == 0
    assert done.stderr.startswith("left out pictures/flat/broken.png: expected a picture")
    assert done.stdout.splitlines()[0].endswith("to test with, 1 left out")
    images, labels = (idx(tmp_path / f"data/own/train-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    test_labels = idx(tmp_path / "data/own/t10k-labels-idx1-ubyte")
    assert images.shape[1:] == (28, 28) and len(images) == len(labels)
    assert sorted([*labels, *test_labels]) == [0] * 10 + [1] * 10
    for image, label in zip(images, labels, strict=True):  # dark on light became light on dark; a bar is longer one way
        rows, columns = (np.count_nonzero((image > 128).any(axis=axis)) for axis in (1, 0))
        assert (columns > rows) == (label == 0)
    params = YAML(typ="safe").load(tmp_path / "params.yaml")
    entry = params["datasets"]["own"]
    assert (params["dataset"], params["training"], entry["title"]) == ("own", "few", "Bars")
    assert (entry["classes"], entry["sources"], entry["preparation"]) == (["flat", "upright"], ["file:data/own"], "fit")
    after = (tmp_path / "params.yaml").read_text()
    gone = [line.partition(" ")[0] for line in before.splitlines() if line not in after.splitlines()]
    assert gone == ["dataset:", "training:"]
    comments = [[line.partition("#")[2] for line in text.splitlines() if "#" in line] for text in (before, after)]
    assert comments[0] == comments[1]


def test_the_parameters_keep_their_mode_and_stay_behind_a_link(run_module, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "params.yaml").rename(tmp_path / "elsewhere/params.yaml")
    (tmp_path / "elsewhere/params.yaml").chmod(0o640)
    (tmp_path / "params.yaml").symlink_to("elsewhere/params.yaml")
    assert run_module("-m", "apps.collect", "pictures", "own").returncode == 0
    assert (tmp_path / "params.yaml").is_symlink()
    assert (tmp_path / "elsewhere/params.yaml").stat().st_mode & 0o777 == 0o640
    assert "own" in load_params(tmp_path / "elsewhere/params.yaml").datasets


def test_the_same_pictures_give_the_same_bytes_and_another_seed_another_split(run_module, folder, tmp_path):
    def digests(*options):
        assert run_module("-m", "apps.collect", "pictures", "own", *options).returncode == 0
        return YAML(typ="safe").load(tmp_path / "params.yaml")["datasets"]["own"]["sha256"]

    assert digests() == digests() != digests("--seed", "1")


def test_a_split_of_ones_own_is_kept(run_module, folder, tmp_path):
    for part, numbers in (("train", range(7)), ("test", range(7, 10))):
        for name in ("flat", "upright"):
            (folder / part / name).mkdir(parents=True)
            for number in numbers:
                (folder / name / f"{number}.png").rename(folder / part / name / f"{number}.png")
    shutil.copy(folder / "train/flat/0.png", folder / "test/flat/again.png")
    done = run_module("-m", "apps.collect", "pictures", "own")
    assert done.stdout.splitlines()[0] == "14 pictures to train on, 7 to test with, 0 left out"
    assert done.stderr == "warning: 1 of the test pictures are among those to train on as well\n"
    assert sorted(idx(tmp_path / "data/own/t10k-labels-idx1-ubyte")) == [0, 0, 0, 0, 1, 1, 1]


def test_idx_files_stay_where_they_are_and_get_an_entry(run_module, tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    digests = write_idx_folder(tmp_path / "elsewhere", gz=True)
    assert run_module("-m", "apps.collect", "elsewhere", "eights").returncode == 0
    entry = YAML(typ="safe").load(tmp_path / "params.yaml")["datasets"]["eights"]
    assert entry["sha256"] == digests
    assert (entry["classes"], entry["sources"]) == ([str(digit) for digit in range(10)], ["file:elsewhere"])


def test_idx_files_of_another_shape_get_an_entry_in_which_what_is_changed_by_hand_stays(run_module, tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    for part, count in (("train", 6), ("t10k", 4)):
        (tmp_path / f"elsewhere/{part}-images-idx3-ubyte").write_bytes(idx_bytes((count, 20, 30), 3))
        labels = idx_bytes((count,))[:-1] + b"\1"
        (tmp_path / f"elsewhere/{part}-labels-idx1-ubyte").write_bytes(labels)
    assert run_module("-m", "apps.collect", "elsewhere", "own").returncode == 0
    yaml = YAML()
    params = yaml.load(tmp_path / "params.yaml")
    assert params["datasets"]["own"]["shape"] == [20, 30]
    params["datasets"]["own"].update(classes=["cat", "dog"], shape=[30, 20], transpose=True)
    yaml.dump(params, tmp_path / "params.yaml")
    assert run_module("-m", "apps.collect", "elsewhere", "own", "--title", "Animals").returncode == 0
    entry = yaml.load(tmp_path / "params.yaml")["datasets"]["own"]
    assert (entry["classes"], entry["shape"], entry["transpose"]) == (["cat", "dog"], [30, 20], True)
    assert entry["title"] == "Animals"
    done = run_module("-m", "apps.collect", "elsewhere", "own", "--shape", "20", "30")
    assert done.stderr == "error: elsewhere: expected no --shape, as IDX files have their own, found one\n"


def test_a_name_that_stands_for_something_else_is_refused(run_module, folder, tmp_path):
    before = (tmp_path / "params.yaml").read_bytes()
    done = run_module("-m", "apps.collect", "pictures", "mnist")
    assert done.stderr.startswith(
        "error: params.yaml: datasets.mnist: expected a name that is free, found one of https"
    )
    assert (tmp_path / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["ünï", "_x", "²", "n" * 65, "../x", "raw", ""])
def test_a_name_that_no_path_or_parameter_can_have_is_refused(run_module, folder, name):
    done = run_module("-m", "apps.collect", "pictures", name)
    assert (done.returncode, done.stderr.count("error: argument name: expected")) == (2, 1)


@pytest.mark.parametrize("names", [(": d", "b"), ("?x", "yes"), ("null", "1e3"), ("#", "a: b"), ("-", "'\"")])
def test_names_that_mean_something_in_yaml_are_texts(run_module, folder, tmp_path, names):
    for old, new in zip(("flat", "upright"), names, strict=True):
        (folder / old).rename(folder / new)
    assert run_module("-m", "apps.collect", "pictures", "own").returncode == 0
    assert set(load_params(tmp_path / "params.yaml").datasets["own"].classes) == set(names)


def test_pictures_are_never_written_over(run_module, folder, tmp_path):
    (tmp_path / "data").mkdir()
    folder.rename(tmp_path / "data/own")
    done = run_module("-m", "apps.collect", "data/own", "own")
    assert (done.returncode, done.stderr) == (
        1,
        "error: data/own: expected a folder that is not in data/own, nor around it\n",
    )
    shutil.copytree(tmp_path / "data/own", tmp_path / "pictures")
    done = run_module("-m", "apps.collect", "pictures", "own")
    assert done.stderr.startswith("error: data/own: expected nothing, or the files of an earlier run, found ")
    assert len(list((tmp_path / "data/own").rglob("*.png"))) == 20


def test_a_failure_at_the_last_step_leaves_the_earlier_files(run_module, folder, tmp_path):
    assert run_module("-m", "apps.collect", "pictures", "own").returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*-ubyte")}
    done = run_module("-m", "apps.collect", "pictures", "own", "--seed", "1", "--title", "")
    assert done.returncode == 1 and done.stderr.startswith("error: params.yaml: datasets.own.title: expected")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*-ubyte")} == before


@pytest.mark.parametrize("content", ["", "hello", "datasets: [", "datasets:\n", None])
def test_damaged_parameters_are_one_line(run_module, folder, tmp_path, content):
    (tmp_path / "params.yaml").unlink()
    if content is not None:
        (tmp_path / "params.yaml").write_text(content)
    done = run_module("-m", "apps.collect", "pictures", "own")
    assert done.returncode == 1 and all(
        line.startswith(("error: ", "params.yaml: ")) for line in done.stderr.splitlines()
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("train-images-idx3-ubyte", b"garbage", "expected IDX magic"),
        ("train-images-idx3-ubyte", idx_bytes((1437, 32, 32)), "expected images of 32×32 pixels, found 28×28"),
        (
            "train-images-idx3-ubyte",
            idx_bytes((1437, 7, 28)),
            "expected images of 8 to 128 pixels a side, found [7, 28]",
        ),
        ("train-images-idx3-ubyte", idx_bytes((1437,)), "expected images of 8 to 128 pixels a side, found []"),
        ("train-labels-idx1-ubyte", idx_bytes((1437, 1, 1)), "expected labels, in 1 dimension, found 3 dimensions"),
        ("train-labels-idx1-ubyte", idx_bytes((1437,)), "expected labels of at least 2 classes, found 1"),
        ("t10k-labels-idx1-ubyte", idx_bytes((300,)), "expected equal counts, found 360 images and 300 labels"),
        (
            "train-labels-idx1-ubyte",
            idx_bytes((1437,), 7),
            "expected images to train on with every label, found none of 0",
        ),
    ],
)
def test_idx_files_that_do_not_belong_together_are_refused(run_module, tmp_path, name, content, line):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_idx_folder(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / name).write_bytes(content)
    done = run_module("-m", "apps.collect", "elsewhere", "own")
    assert done.returncode == 1 and line in done.stderr and done.stderr.count("\n") == 1


def alone(folder):
    shutil.rmtree(folder / "flat")


def empty(folder):
    shutil.rmtree(folder / "flat")
    (folder / "flat").mkdir()


def alien(folder):
    (folder / "train").mkdir()
    for name in ("flat", "upright"):
        (folder / name).rename(folder / "train" / name)
    (folder / "test" / "round").mkdir(parents=True)


def only_train(folder):
    (folder / "flat").rename(folder / "Train")


def unreadable(folder):
    for file in (folder / "flat").iterdir():
        file.write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (shutil.rmtree, "pictures: expected a folder of pictures, found none"),
        (alone, "pictures: expected a folder for each of at least 2 classes, found 1"),
        (empty, "pictures/flat: expected at least 2 pictures, found 0"),
        (alien, "pictures/test/round: expected a class of pictures/train, found another"),
        (only_train, "pictures: expected train and test, or a folder for each class; found Train"),
        (unreadable, "pictures: flat: expected a picture to train on that can be read, found none"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line_and_nothing_is_written(run_module, folder, tmp_path, harm, line):
    harm(folder)
    before = (tmp_path / "params.yaml").read_bytes()
    done = run_module("-m", "apps.collect", "pictures", "own")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"error: {line}")
    assert (tmp_path / "params.yaml").read_bytes() == before and not (tmp_path / "data").exists()


def test_pictures_of_ones_own_from_folder_to_answer(tmp_path):
    clone = small_clone(tmp_path)
    digits, held_out = load_digits(), []
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = tmp_path / ("pictures" if number < 1000 else "held out") / str(digit) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        render(image).save(path)
        held_out += [path] if number >= 1000 else []
    said = clone.run("python", "-m", "apps.collect", "../pictures", "own", "--as", "digits", "--title", "My digits")
    assert said.splitlines()[0] == "799 pictures to train on, 201 to test with, 0 left out"
    clone.run("dvc", "repro")
    rows = clone.run("python", "-m", "apps.predict", "--csv", "--accept-all", *map(str, held_out)).splitlines()[1:]
    right = [row.split(",")[1] == path.parent.name for row, path in zip(rows, held_out, strict=True)]
    assert np.mean(right) > 0.9
    assert "# My digits: small" in (clone.folder / "models/export/README.md").read_text()
