"""Recipes and data sets: every mistake is one line with its dotted key."""

import pytest
from pydantic import ValidationError

from mnist.core.params import ParamsError, load_dataset, load_recipe
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
LAYERS = """
  - Flatten: {}
  - Dense: {units: 2, activation: softmax}
"""
RECIPE = f"""\
recipe: small
seed: 0
dataset: digits
train:
  epochs: 1
  batch_size: 8
  optimizer: {{Adam: {{}}}}
  learning_rate: 0.01
  augmentation: {{shift: 1}}
export: {{formats: [h5]}}
model:{LAYERS}"""
DATASET = f"""\
classes: ["0", "1"]
sources: ["file:some/folder"]
sha256:
  train-images-idx3-ubyte: {"c" * 64}
  train-labels-idx1-ubyte: {"d" * 64}
  t10k-images-idx3-ubyte: {"e" * 64}
  t10k-labels-idx1-ubyte: {"a" * 64}
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.yaml"


def load(path, text):
    """What the file says with this text, a recipe or a data set."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_dataset(path.stem, path.parent) if "classes:" in path.read_text(errors="replace") else load_recipe(path)


def refusal(path, text):
    with pytest.raises(ParamsError) as error:
        load(path, text)
    return str(error.value)


def test_a_good_recipe_gives_its_values_and_the_defaults(path):
    recipe = load(path, RECIPE.replace("0.01", "1e-2"))  # a number in YAML 1.2
    assert recipe.model == [{"Flatten": {}}, {"Dense": {"units": 2, "activation": "softmax"}}]
    assert (recipe.recipe, recipe.dataset, recipe.published, recipe.export.formats) == ("small", "digits", None, ["h5"])
    train = recipe.train.model_dump()
    augmentation = train.pop("augmentation")
    assert augmentation.pop("shift") == 1.0 and set(augmentation.values()) == {0.0}
    given = {"epochs": 1, "batch_size": 8, "optimizer": {"Adam": {}}, "learning_rate": 0.01}
    shares = ("label_smoothing", "validation_split", "printed", "penned", "out_of_class")
    zeros = dict.fromkeys(("plain_epochs", *shares), 0)
    assert train == given | zeros | {"schedule": "one_cycle", "warm_up": 0.3, "initial_weights": None}


def test_a_good_data_set_gives_its_values_and_the_defaults(path):
    dataset = load(path, DATASET)
    assert (dataset.classes, dataset.size, dataset.preparation) == (["0", "1"], (28, 28), "ink")
    assert (dataset.title, dataset.licence) == ("Images", "unknown licence")
    assert dataset.digests["t10k-labels-idx1-ubyte"] == "a" * 64
    assert load(path, f"{DATASET}shape: [20, 30]\n").size == (20, 30)


MISTAKES = [  # what is replaced, by what, and the line that follows `some.yaml: `
    ("seed: 0", "seed: 0\nsead: 1", "sead: unknown key; did you mean 'seed'?"),
    ("seed: 0", "sed: 0", "sed: unknown key; did you mean 'seed'?"),  # and not that `seed` is missing
    ("seed: 0", "seed: 0\nqqq: 1", "qqq: unknown key"),
    ("epochs: 1", "epochs: 1\n  epoch: 5", "train.epoch: unknown key; did you mean 'epochs'?"),
    ("{shift: 1}", "{shft: 1}", "train.augmentation.shft: unknown key; did you mean 'shift'?"),
    (
        "seed: 0",
        "seed: 0\npublished: {accuracy: 0.5, source: x, los: 1}",
        "published.los: unknown key; did you mean 'loss'?",
    ),
    ("seed: 0", "seed: 0\n3: 1", "3: expected to be strings, found 3"),
    ("seed: 0\n", "", "seed: expected a value, found nothing"),
    ("  batch_size: 8\n", "", "train.batch_size: expected a value, found nothing"),
    ("seed: 0", 'seed: "0"', "seed: expected to be a valid integer, found '0'"),
    ("epochs: 1", "epochs: -1", "train.epochs: expected to be greater than or equal to 0, found -1"),
    ("epochs: 1", "epochs: 0", "train.epochs: expected 1 or more, or train.initial_weights, which are kept; found 0"),
    (LAYERS, " []", "model: expected a layer, or train.initial_weights, whose network is taken; found neither"),
    ("0.01", ".nan", "train.learning_rate: expected to be a finite number, found nan"),
    ("Adam: {}", "Adam: {epsilon: -1}", "train.optimizer: Adam.epsilon: expected at least 0, found -1"),
    ("Adam: {}", "Adam: {beta_1: x}", "train.optimizer.Adam.beta_1: expected to be a valid number, found 'x'"),
    ("Flatten: {}", "{Flatten: {}, ReLU: {}}", "model.0: expected to have at most 1 item"),
    ("Flatten: {}", "Flatten", "model.0: expected to be a valid dictionary, found 'Flatten'"),
    ("units: 2", "units: 2026-11-24", "model.1.Dense.units: expected a number, text, list or mapping, found date"),
    ("units: 2", "units: [1, [2026-11-24]]", "model.1.Dense.units.1.0: expected a number, text, list or mapping"),
    ("[h5]", "[h5, h5]", "export.formats: expected each name once, found 'h5' again"),
    ("train:", "train:\n  schedule: cosine", "train.schedule: expected to be 'constant' or 'one_cycle', found"),
    ("recipe: small", "recipe: ../small", "recipe: expected to match pattern"),
    ("c" * 64, "c" * 63, "sha256.train-images-idx3-ubyte: expected to match pattern"),
    ("file:some", "ftp://some", "sources.0: expected to match pattern"),
    ("file:some/folder", "pypi:some==1; touch x", "sources.0: expected to match pattern"),
    ('["0", "1"]', '["0", "0"]', "classes: expected each name once, found '0' again"),
    ('["0", "1"]', '["0", "\\n"]', "classes: expected names that can be printed, found '\\n'"),
    ("sources:", "source: x\nsources:", "source: unknown key; did you mean 'sources'?"),
]


@pytest.mark.parametrize(("old", "new", "line"), MISTAKES)
def test_a_mistake_is_one_line_with_its_dotted_key(path, old, new, line):
    (text,) = [text for text in (RECIPE, DATASET) if old in text]
    message = refusal(path, text.replace(old, new, 1))
    assert message.startswith(f"{path}: {line}")
    assert "\n" not in message


def test_each_of_several_mistakes_has_its_line(path):
    message = refusal(path, RECIPE.replace("seed: 0", "seed: x").replace("epochs: 1", "epochs: -1"))
    keys = [line.removeprefix(f"{path}: ").partition(":")[0] for line in message.splitlines()]
    assert keys == ["seed", "train.epochs"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: [1\nb: }", "not YAML at line 2: "),
        (b"a:\n\t- b", "not YAML at line 2: "),
        (b"seed: 0\nseed: 1\n", 'not YAML at line 2: found duplicate key "seed"'),
        (b"a: *x\n", "not YAML at line 1: found undefined alias 'x'"),
        (b"a: \xff\n", "not YAML: "),
        (b"a: 1\n---\nb: 2\n", "not YAML at line 2: "),
        (b"", "expected a mapping, found NoneType"),
        (b"- 1\n", "expected a mapping, found list"),
        (b"text\n", "expected a mapping, found str"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_in_one_line(path, content, line):
    message = refusal(path, content)
    assert message.startswith(f"{path}: {line}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['{}']", "!!python/object/new:os.system ['{}']", "!run '{}'"]
)
def test_a_yaml_tag_runs_nothing(path, tmp_path, tag):
    message = refusal(path, RECIPE.replace("seed: 0", "seed: " + tag.format(f"touch {tmp_path / 'ran'}")))
    assert message.startswith(f"{path}: not YAML at line 2: could not determine a constructor for the tag")
    assert not (tmp_path / "ran").exists()


NO_DATASET = "params.yaml: dataset: expected a file of datasets/, found no datasets"


@pytest.mark.parametrize(
    ("dataset", "line"),
    [
        ("minst", f"{NO_DATASET}/minst.yaml; did you mean 'mnist'?"),
        ("zzz", f"{NO_DATASET}/zzz.yaml; expected one of mnist"),
        ("own", f"{NO_DATASET}/own.yaml; `python -m apps.collect FOLDER own` makes it from your own pictures"),
    ],
)
def test_a_data_set_without_a_file_is_named(tmp_path, monkeypatch, dataset, line):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/mnist.yaml").write_text(DATASET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError) as refusal:
        load_dataset(dataset)
    assert str(refusal.value) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "no such file; run this in the project's folder"),
        (RECIPE.replace("seed: 0", "sed: 0"), "sed: unknown key; did you mean 'seed'?"),
    ],
    ids=["no file", "misspelt key"],
)
def test_a_mistake_ends_a_stage_with_one_line(tmp_path, run_module, text, line):
    if text:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    done = run_module("-m", "stages.download")
    assert (done.returncode, done.stderr) == (1, f"error: params.yaml: {line}\n")


def test_what_was_loaded_cannot_be_changed(path):
    recipe = load(path, RECIPE)
    for section, key in ((recipe, "seed"), (recipe.train, "epochs"), (load(path, DATASET), "sources")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, None)


def test_loading_a_recipe_imports_neither_tensorflow_nor_keras(tmp_path, run_module):
    (tmp_path / "params.yaml").write_text(RECIPE, encoding="utf-8")
    done = run_module("-c", "import sys; from mnist.core.params import load_recipe; load_recipe(); print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert "pydantic" in modules
    assert modules.isdisjoint({"tensorflow", "keras"})


# The project's own files.


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_the_project_is_good_names_itself_and_its_data_set_is_there(path):
    recipe = load_recipe(path)
    assert recipe.recipe == path.stem
    assert recipe.dataset == "own" or load_dataset(recipe.dataset, ROOT / "datasets")
