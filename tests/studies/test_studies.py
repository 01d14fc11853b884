"""The project in studies/, run by the real dvc in a clone: its results, and that the pipeline does not know of it."""

import csv

import pytest
from PIL import Image

from tests.clones import QUICK, SMALL, read_json

pytestmark = pytest.mark.slow
RESULTS = "studies/results"


@pytest.fixture(scope="module")
def clone(reproduced, tmp_path_factory):
    """A clone whose mnist is the small data set, and whose published system is the pipeline's own recipe."""
    clone = reproduced.copy(tmp_path_factory.mktemp("clone"))
    clone.run("cp", "datasets/digits.yaml", "datasets/mnist.yaml")
    published = {"accuracy": 0.9, "loss": None, "source": "test"}
    clone.edit(lambda recipe: recipe.update(published=published, train=QUICK, model=SMALL), "recipes/haque.yaml")
    clone.run("git", "rm", "-r", "--quiet", RESULTS)
    clone.commit("small recipes")
    return clone


@pytest.fixture(scope="module")
def outside(clone):
    """What dvc says of the pipeline before anything is studied."""
    return pipeline(clone)


@pytest.fixture(scope="module")
def studied(clone, outside):
    """The clone after one item of each study."""
    studies(clone, "dvc repro published@haque seeds@fast-0 robustness doubtful", "dvc repro --single-item picture")
    return clone


def studies(clone, *lines):
    return clone.run("sh", "-ec", "\n".join(["cd studies", *lines]))


def pipeline(clone):
    commands = ("status", "dag", "stage list", "metrics show", "params diff", "plots diff --json", "exp show --csv")
    return {command: clone.run("dvc", *command.split()) for command in commands}


def test_a_published_system_is_trained_as_the_pipeline_trains(studied):
    trained, evaluated = (read_json(studied, f"metrics/{name}.json") for name in ("train", "evaluate"))
    assert read_json(studied, f"{RESULTS}/published/haque.json") == {
        "accuracy": evaluated["accuracy"],
        "loss": evaluated["loss"],
        "parameters": trained["parameters"],
        "published_accuracy": 0.9,
    }


def test_a_seed_has_its_errors(studied):
    result = read_json(studied, f"{RESULTS}/seeds/fast-0.json")
    assert list(result) == ["accuracy", "loss", "errors"]
    assert result["accuracy"] == pytest.approx(1 - result["errors"] / 360)


def test_robustness_is_that_of_the_exported_model(studied):
    result, evaluated = (
        read_json(studied, f"{RESULTS}/robustness/exported.json"),
        read_json(studied, "metrics/evaluate.json"),
    )
    assert result["accuracy"] == evaluated["accuracy"]
    assert len(result["corruptions"]) == 15
    for name in ("accuracy", "calibration_error", "unsure", "sure_and_wrong"):
        mean = sum(row[name] for row in result["corruptions"]) / 15
        assert result[f"corrupted_{name}"] == pytest.approx(mean)
    assert result["corrupted_accuracy"] < result["accuracy"]
    assert [(row["pictures"], row["num_images"]) for row in result["pictures"]] == [
        *((f"digits_{side}", 898) for side in (32, 64, 160, 320)),
        ("test_images", 360),
    ]
    assert all(0 <= row[name] <= 1 for row in result["pictures"] for name in ("resized", "read", "unsure"))


def test_doubtful_labels_are_those_of_the_table_and_the_least_likely_is_the_first(studied):
    _, *lines = (studied.folder / "data/csv/train.csv").read_text(encoding="utf-8").splitlines()
    labels = [int(line.partition(",")[0]) for line in lines]
    with (studied.folder / RESULTS / "doubtful.csv").open(encoding="utf-8") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert 0 < len(rows) < len(labels) / 2
    assert all(row["label"] == labels[int(row["row"])] != row["predicted"] for row in rows)
    assert all(row["label_probability"] <= row["predicted_probability"] for row in rows)
    assert sorted(row["label_probability"] for row in rows) == [row["label_probability"] for row in rows]


@pytest.mark.parametrize("name", ["published", "robustness", "doubtful"])
def test_pictures_are_drawn(studied, name):
    with Image.open(studied.folder / RESULTS / f"{name}.png") as picture:
        picture.load()
        assert min(picture.size) > 100


def test_what_was_studied_is_not_studied_again(studied):
    ran = studies(studied, "dvc repro published@haque seeds@fast-0 robustness")
    assert "Running stage" not in ran


def test_the_pipeline_does_not_know_of_the_studies(studied, outside):
    found = pipeline(studied)
    assert found == outside
    for text in found.values():
        assert not [
            word
            for word in ("studies", "haque.json", "published", "robustness", "corrupted", "doubtful")
            if word in text
        ]


def test_a_recipe_without_a_published_result_is_refused_in_one_line(studied):
    process = studied.start("python", "-m", "studies.published", "fast")
    assert process.communicate()[1] == "error: recipes/fast.yaml: published: expected a published result, found none\n"
    assert process.returncode == 1
