"""Other data sets through the whole pipeline, by the real dvc: many classes, another shape, an earlier model."""

import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

from tests.clones import MODEL, read_json, small_clone
from tests.conftest import ROOT
from tests.digits import render

pytestmark = pytest.mark.slow

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


def shape_of(path):
    with Image.open(path) as image:
        return image.height, image.width


def test_47_classes_from_folders_to_answers(tmp_path):
    clone = small_clone(tmp_path)
    draw(tmp_path / "pictures", BALANCED, 30)
    said = clone.run("python", "-m", "apps.collect", "../pictures", "letters", "--as", "digits", "--title", "Letters")
    assert said.splitlines()[0] == "1,128 pictures to train on, 282 to test with, 0 left out"
    clone.run("dvc", "repro")
    metrics = read_json(clone, "metrics/evaluate.json")
    assert metrics["accuracy"] > 0.7 and len(metrics["classes"]) == 47  # 0.02 is chance
    card = (clone.folder / "models/export/README.md").read_text(encoding="utf-8")
    assert "telling 47 classes apart" in card and "of the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, A, B, C," in card
    answer = clone.run("python", "-m", "apps.predict", "--csv", "--accept-all", "../pictures/A/3.png")
    assert answer.splitlines()[1].split(",")[1] == "A"
    for name in ("samples", "confusion", "misclassified"):
        rows, columns = shape_of(clone.folder / f"metrics/plots/{name}.png")
        assert 100 < rows < 2500 and 300 < columns < 2500


def test_images_of_another_shape_from_folders_to_answers(tmp_path):
    clone = small_clone(tmp_path)
    draw(tmp_path / "pictures", "AB", 150, wide=2)
    clone.run("python", "-m", "apps.collect", "../pictures", "wide", "--shape", "24", "48")
    clone.edit(lambda params: params["export"]["formats"].remove("litert_int8"))  # may err in one of so few
    clone.run("dvc", "repro")
    assert (clone.folder / "data/csv/train.csv").read_text().startswith("label,pixel0,")
    assert ",pixel1151\n" in (clone.folder / "data/csv/train.csv").read_text()
    assert read_json(clone, "metrics/evaluate.json")["accuracy"] > 0.8  # 0.5 is chance
    answer = clone.run("python", "-m", "apps.predict", "--csv", "--accept-all", "../pictures/B/3.png")
    assert answer.splitlines()[1].split(",")[1] == "B"
    assert "float32 `(n, 24, 48, 1)`" in (clone.folder / "models/export/README.md").read_text(encoding="utf-8")


def accuracy(clone, files):
    """How many pictures the clone's export reads right, of those in folders named as their class."""
    rows = clone.run("python", "-m", "apps.predict", "--csv", "--accept-all", *map(str, files)).splitlines()[1:]
    return np.mean([row.split(",")[1] == path.parent.name for row, path in zip(rows, files, strict=True)])


def test_an_earlier_model_is_adapted_to_a_few_pictures_of_ones_own(tmp_path):
    clone, digits, held_out = small_clone(tmp_path), load_digits(), []
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = tmp_path / ("pictures" if number < 200 else "held out") / str(digit) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        render(image).save(path)
        held_out += [path] if number >= 200 else []
    clone.run("dvc", "get", str(ROOT), "models/MNIST_keras_CNN.h5", "-o", "models/initial/", "--remote", "released")
    clone.run("python", "-m", "apps.collect", "../pictures", "own", "--as", "digits")
    found = {}
    for training in ("adapt", "afresh"):
        clone.edit(lambda params, chosen=training: params.update(architecture="bn_cnn", training=chosen))
        if training == "afresh":
            clone.edit(lambda params: params["trainings"].update(afresh=without_initial_weights(params)))
        said = clone.run("dvc", "repro")
        taken = "weights taken for conv0, bn0, conv1, bn1, conv2, bn2, conv3, bn3, fc1, fco; fresh: none"
        assert (taken in said) == (training == "adapt")
        found[training] = accuracy(clone, held_out)
    assert found["adapt"] > max(0.97, found["afresh"] + 0.01)


def without_initial_weights(params):
    return {name: value for name, value in params["trainings"]["adapt"].items() if name != "initial_weights"}


def test_a_changed_earlier_model_is_trained_from_again_and_a_missing_one_is_named(tmp_path):
    clone = small_clone(tmp_path)
    clone.run("dvc", "repro", "train")
    shutil.copy(clone.folder / MODEL, clone.folder / "models/initial/first.h5")
    clone.edit(lambda params: params["trainings"]["quick"].update(initial_weights="models/initial/first.h5", epochs=1))
    assert "models/initial/first.h5: weights taken for" in clone.run("dvc", "repro", "train")
    assert "weights taken" not in clone.run("dvc", "repro", "train")
    shutil.copy(clone.folder / MODEL, clone.folder / "models/initial/first.h5")
    assert "weights taken for" in clone.run("dvc", "repro", "train")
    (clone.folder / "models/initial/first.h5").unlink()
    process = clone.start("dvc", "repro", "train")
    _, errors = process.communicate()
    assert process.returncode
    assert "error: models/initial/first.h5: expected a model to start from, found no such file\n" in errors
