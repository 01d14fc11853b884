"""What the model card and the checksums say, and that the card's code runs."""

import hashlib
import re
import subprocess

import numpy as np
import pytest
import yaml

from mnist.core.sections import InitialWeights
from mnist.export.card import card, checksums, made_up, prepared
from mnist.export.formats import FORMATS
from mnist.export.proof import Proof
from tests.conftest import ABOUT, recipe_of
from tests.mnist.export.conftest import forward

pytestmark = pytest.mark.slow


def test_the_card_says_how_good_the_model_is_and_what_it_was_made_from(facts, tiny_model, test_part):
    text = card(facts, [Proof("json", "some.json", 1234, 0.5, 0.0, 7)], {"json": FORMATS["json"]})
    images, labels = test_part
    answers = forward(tiny_model, images)
    accuracy, loss = (answers.argmax(axis=1) == labels).mean(), -np.log(answers[range(360), labels]).mean()
    assert re.search(rf"\| {accuracy:.2%} \| [\d.]+% to [\d.]+% \| {loss:.4f} \|", text)
    assert "| some.json | 1,234 | 50.00% | 0.0e+00 | 7 |" in text
    assert all(words in text for words in ("1,234 images", "56\nmore held out", "360 test images", ABOUT.licence))
    assert all(f"{name} {digest}" in text for name, digest in facts.dataset.digests.items())
    assert "noise 100.0%, letters 0.0%" in text
    assert f"{tiny_model.count_params():,} parameters" in text


def metadata(facts, *formats):
    """What the Hub reads of the card; and the card's last line."""
    text = card(facts, [], {name: FORMATS[name] for name in formats})
    empty, lines, rest = text.split("---\n", 2)
    assert (empty, rest[:3]) == ("", "\n# ")
    return yaml.safe_load(lines), rest.splitlines()[-1]


def test_the_hub_reads_what_the_model_is_and_how_good(facts, test_part, tiny_model):
    recipe = facts.recipe.model_copy(update={"dataset": "mnist"})
    read, last = metadata(facts._replace(recipe=recipe), "h5", "keras", "onnx", "litert", "litert_int8")
    images, labels = test_part
    accuracy = float((forward(tiny_model, images).argmax(axis=1) == labels).mean())
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"type": "ylecun/mnist", "name": "Handwritten digits", "split": "test"},
        "metrics": [{"type": "accuracy", "value": accuracy}],
    }
    assert read == {
        "license": "mit",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["mnist", "digits", "keras", "onnx", "litert"],
        "datasets": ["ylecun/mnist"],
        "metrics": ["accuracy"],
        "model-index": [{"name": "Handwritten digits", "results": [result]}],
    }
    assert last == f"Model and code: MIT licence. Data: {ABOUT.licence}."


@pytest.mark.parametrize(
    "title", ["\"Äpfel\": 'ripe' # or not", "no", "1e3", "- [x]: {y}", "back\\slash ---", "\n---\n"]
)
def test_a_model_of_other_pictures_is_known_by_any_title_and_has_no_licence_yet(facts, title):
    about = ABOUT._replace(title=title, classes=("apple", "pear"), licence="mine: 'all'")
    read, last = metadata(facts._replace(source=facts.source._replace(about=about)), "onnx")
    (model,) = read.pop("model-index")
    assert (model["name"], model["results"][0]["dataset"]) == (
        title,
        {"type": "digits", "name": title, "split": "test"},
    )
    assert read["license"] == "other" and "datasets" not in read
    assert read["tags"] == ["digits", "onnx"]  # the data set's name here
    assert last == "Code: MIT licence. Model: its publisher decides. Data: mine: 'all'."


def test_the_card_says_which_images_were_made_up_and_where_the_training_started():
    assert made_up(recipe_of().train) == ""
    initial = InitialWeights(file="released/x.h5", sha256="0" * 64)
    text = made_up(recipe_of(out_of_class=0.1, printed=0.03, penned=0.02, initial_weights=initial.model_dump()).train)
    assert all(
        words in text
        for words in ("3% images drawn from fonts", "2% ones and sevens", "10% pictures of no class", "`released/x.h5`")
    )


@pytest.mark.parametrize(
    ("preparation", "shape", "words"),
    [("ink", (28, 28), "20×20"), ("ink", (56, 28), "40×20"), ("fit", (28, 28), "whole picture")],
)
def test_the_card_says_how_a_picture_is_prepared(preparation, shape, words):
    assert words in prepared(preparation, shape)


def test_sha256sum_accepts_the_checksums_and_refuses_other_bytes(tmp_path):
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.txt", "sub/a.txt"):
        (folder / name).write_text(name)
    text = checksums(folder)
    assert text.splitlines()[0] == f"{hashlib.sha256(b'b.txt').hexdigest()}  b.txt"
    (folder / "SHA256SUMS").write_text(text)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    (folder / "b.txt").write_text("other")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1
