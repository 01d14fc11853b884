"""Other data sets and models through the whole pipeline, by the real dvc, as docs/data.md says."""

import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

from mnist.core.params import load_dataset
from tests.clones import MODEL, QUICK, SMALL, digest, read_json, small_clone
from tests.conftest import ROOT
from tests.digits import TRAIN, load, render
from tests.project.test_readme import block

# As EMNIST's balanced classes: digits, capitals, and the small letters that look unlike theirs.
FONTS = ["DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmr10", "cmtt10"]
BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"


def draw(folder, characters, pictures, wide=1):
    """Draw each character this many times, in several fonts and turned a little, in a folder for each."""
    rng = np.random.default_rng(0)
    fonts = [Path(matplotlib.get_data_path(), f"fonts/ttf/{name}.ttf") for name in FONTS]
    for text in characters:
        (folder / text).mkdir(parents=True)
        for picture in range(pictures):
            page = Image.new("L", (64 * wide, 64), 255)
            font = ImageFont.truetype(fonts[picture % len(fonts)], int(rng.integers(32, 48)))
            place = (int(rng.integers(26, 38)) * wide, int(rng.integers(28, 36)))
            ImageDraw.Draw(page).text(place, text, int(rng.integers(90)), font, anchor="mm")
            turned = page.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC, fillcolor=255)
            turned.save(folder / text / f"{picture}.png")


def collect(clone, *arguments):
    """Make ../pictures a data set; its first line of output. The recipe stays small and quick."""
    said = clone.run("python", "-m", "apps.collect", "../pictures", *arguments)
    clone.edit(lambda recipe: recipe.update(train=QUICK, model=SMALL))
    return said.splitlines()[0]


def answers(clone, *files):
    """What the clone's export reads in the pictures."""
    rows = clone.run("python", "-m", "apps.predict", "--csv", "--accept-all", *map(str, files)).splitlines()[1:]
    return [row.split(",")[1] for row in rows]


def card(clone):
    return (clone.folder / "models/export/README.md").read_text(encoding="utf-8")


def failure(clone, *command):
    """What a command that fails says on standard error."""
    process = clone.start(*command)
    _, errors = process.communicate()
    assert process.returncode
    return errors.splitlines()


def test_each_data_set_of_the_project_is_right_and_has_files_of_its_own():
    datasets = [load_dataset(path.stem, ROOT / "datasets") for path in (ROOT / "datasets").glob("*.yaml")]
    assert len(datasets) >= 2
    hashes = [value for dataset in datasets for value in dataset.digests.values()]
    assert len(set(hashes)) == len(hashes) == 4 * len(datasets)


@pytest.mark.slow
def test_a_misspelt_data_set_is_one_line_with_the_nearest_name(tmp_path):
    clone = small_clone(tmp_path)
    clone.edit(lambda recipe: recipe.update(dataset="digist"))
    (line,) = [line for line in failure(clone, "dvc", "repro") if line.startswith("error: ")]
    expected = "expected a file of datasets/, found no datasets/digist.yaml; did you mean 'digits'?"
    assert line == f"error: params.yaml: dataset: {expected}"


@pytest.mark.slow
def test_47_classes_from_folders_to_answers(tmp_path):
    clone = small_clone(tmp_path)
    draw(tmp_path / "pictures", BALANCED, 30)
    said = collect(clone, "letters", "--as", "digits", "--title", "Letters")
    assert said == "1,128 pictures to train on, 282 to test with, 0 left out"
    clone.run("dvc", "repro")
    assert read_json(clone, "metrics/evaluate.json")["accuracy"] > 0.7  # 0.02 is chance
    assert len((clone.folder / "metrics/classes.csv").read_text().splitlines()) == 1 + 47
    assert "telling 47 classes apart" in card(clone)
    assert "of the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, A, B, C," in card(clone)
    assert answers(clone, "../pictures/A/3.png") == ["A"]
    for name in ("samples", "confusion", "misclassified"):
        with Image.open(clone.folder / f"metrics/plots/{name}.png") as image:
            assert 100 < image.height < 2500 and 300 < image.width < 2500


@pytest.mark.slow
def test_images_of_another_shape_from_folders_to_answers(tmp_path):
    clone = small_clone(tmp_path)
    draw(tmp_path / "pictures", "AB", 150, wide=2)
    collect(clone, "wide", "--shape", "24", "48")
    clone.edit(lambda recipe: recipe["export"]["formats"].remove("litert_int8"))  # may err in one of so few
    clone.run("dvc", "repro")
    header = (clone.folder / "data/csv/train.csv").read_text().splitlines()[0]
    assert header.startswith("label,pixel0,") and header.endswith(",pixel1151")
    assert read_json(clone, "metrics/evaluate.json")["accuracy"] > 0.8  # 0.5 is chance
    assert answers(clone, "../pictures/B/3.png") == ["B"]
    assert "float32 `(n, 24, 48, 1)`" in card(clone)


@pytest.mark.slow
def test_pictures_of_ones_own_from_folder_to_answer_afresh_and_from_an_earlier_model(tmp_path):
    clone, digits, held_out = small_clone(tmp_path), load_digits(), []
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = tmp_path / ("pictures" if number < 500 else "held out") / str(digit) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        render(image).save(path)
        held_out += [path] if number >= 500 else []
    (clone.folder / "released").mkdir(exist_ok=True)
    clone.run("dvc", "get", str(ROOT), MODEL, "-o", "released/MNIST_keras_CNN.h5", "--remote", "released")
    clone.run("python", "-m", "apps.collect", "../pictures", "own", "--as", "digits", "--title", "My digits")
    accuracy = {}
    for recipe in ("small_data", "adapt"):  # the first is what collect chose
        if recipe == "adapt":
            clone.run("cp", "recipes/adapt.yaml", "params.yaml")
        clone.edit(lambda recipe: recipe["export"].update(formats=["onnx"]))
        said = clone.run("dvc", "repro")
        taken = "weights taken for conv0, bn0, conv1, bn1, conv2, bn2, conv3, bn3, fc1, fco; fresh: none"
        assert (taken in said) == (recipe == "adapt")
        assert f"# My digits: the recipe `{recipe}`" in card(clone)
        right = [text == path.parent.name for text, path in zip(answers(clone, *held_out), held_out, strict=True)]
        accuracy[recipe] = np.mean(right)
    assert accuracy["small_data"] > 0.9
    assert accuracy["adapt"] > 0.97  # after a third of the epochs


@pytest.mark.slow
def test_a_training_from_an_earlier_model_follows_that_model(tmp_path):
    clone = small_clone(tmp_path)
    clone.run("dvc", "repro", "train")
    shutil.copy(clone.folder / MODEL, clone.folder / "first.h5")
    initial = {"file": "first.h5", "sha256": digest(clone)}
    clone.edit(lambda recipe: recipe["train"].update(initial_weights=initial, epochs=1))
    assert "first.h5: weights taken for" in clone.run("dvc", "repro", "train")
    assert "weights taken" not in clone.run("dvc", "repro", "train")
    shutil.copy(clone.folder / MODEL, clone.folder / "first.h5")
    found = f"expected that of first.h5, {digest(clone)}, found {initial['sha256']}"
    line = f"error: params.yaml: train.initial_weights.sha256: {found}"
    assert line in failure(clone, "dvc", "repro", "--force", "--single-item", "train")
    clone.edit(lambda recipe: recipe["train"]["initial_weights"].update(sha256=digest(clone, "first.h5")))
    assert "weights taken for" in clone.run("dvc", "repro", "train")
    (clone.folder / "first.h5").unlink()
    line = "error: first.h5: expected a model to start from, found no such file"
    assert line in failure(clone, "dvc", "repro", "--force", "--single-item", "train")


@pytest.mark.slow
def test_kaggles_tables_become_a_submission_by_the_lines_of_the_page(tmp_path):
    clone, (images, labels) = small_clone(tmp_path), load()
    (clone.folder / "kaggle").mkdir()
    names, rows = [f"pixel{i}" for i in range(784)], images.reshape(-1, 784)
    for name, heading, table in (
        ("train", ["label", *names], np.column_stack([labels[:TRAIN], rows[:TRAIN]])),
        ("test", names, rows[TRAIN:]),
    ):
        lines = [",".join(heading), *(",".join(map(str, row)) for row in table.tolist())]
        (clone.folder / f"kaggle/{name}.csv").write_text("\n".join(lines) + "\n")
    collect, repro, predict, write = block("python -m apps.collect kaggle/train.csv").splitlines()
    clone.run("bash", "-c", collect)
    clone.edit(lambda recipe: recipe.update(train=QUICK, model=SMALL))
    for line in (repro, predict, write):
        clone.run("bash", "-c", line)
    heading, *answers = (clone.folder / "submission.csv").read_text().splitlines()
    assert heading == "ImageId,Label"
    assert [line.split(",")[0] for line in answers] == [str(number + 1) for number in range(360)]
    right = [int(line.split(",")[1]) == digit for line, digit in zip(answers, labels[TRAIN:], strict=True)]
    assert np.mean(right) > 0.8  # 0.1 is chance


@pytest.mark.slow
def test_a_model_that_was_made_elsewhere_is_tested_and_exported_by_the_lines_of_the_page(tmp_path):
    from mnist.learning.backend import keras

    clone, (images, labels) = small_clone(tmp_path), load()
    theirs = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])  # gives logits
    theirs.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    theirs.fit(images[:TRAIN] / 255, labels[:TRAIN], epochs=5, verbose=0)
    theirs.save(clone.folder / "theirs.keras")
    copy, *run = block("cp theirs.keras").splitlines()
    clone.run("bash", "-c", copy)
    clone.edit(lambda recipe: recipe.update(dataset="digits"))
    clone.run("bash", "-c", "\n".join(run))
    sha256 = digest(clone, "models/theirs.keras")
    said = f"7,850 parameters, made elsewhere and taken as it is from `models/theirs.keras`, SHA-256\n`{sha256}`."
    assert said in card(clone)
    assert read_json(clone, "metrics/train.json") == {"parameters": 7850}
    found = theirs.predict(images[TRAIN:] / 255, verbose=0).argmax(axis=1)
    assert answers(clone, "data/csv/test.csv") == [str(digit) for digit in found]
    assert read_json(clone, "metrics/evaluate.json")["accuracy"] == np.mean(found == labels[TRAIN:])
