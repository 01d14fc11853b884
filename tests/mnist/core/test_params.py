"""params.yaml: every mistake is one line with its dotted key; and the JSON schema that editors use."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from mnist import keras_classes as names_of
from mnist.core.errors import nearest
from mnist.core.params import ParamsError, load_params
from mnist.learning.keras_classes import keras_classes
from tests.conftest import ROOT

GOOD = f"""\
dataset: small
architecture: tiny
training: quick
seed: 0
export: {{formats: [h5]}}
datasets:
  small:
    classes: ["0", "1"]
    sources: ["file:some/folder"]
    sha256:
      train-images-idx3-ubyte: {"c" * 64}
      train-labels-idx1-ubyte: {"d" * 64}
      t10k-images-idx3-ubyte: {"e" * 64}
      t10k-labels-idx1-ubyte: {"a" * 64}
architectures:
  tiny:
    - Flatten: {{}}
    - Dense: {{units: 2, activation: softmax}}
trainings:
  quick:
    epochs: 1
    batch_size: 8
    optimizer: {{Adam: {{}}}}
    learning_rate: 0.01
    augmentation: {{shift: 1}}
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.yaml"


def refusal(path):
    with pytest.raises(ParamsError) as error:
        load_params(path)
    return str(error.value)


def test_a_good_file_gives_its_values_and_the_defaults(path):
    path.write_text(GOOD, encoding="utf-8")
    params = load_params(path)
    assert params.pair().layers == [{"Flatten": {}}, {"Dense": {"units": 2, "activation": "softmax"}}]
    assert params.chosen_dataset.classes == ["0", "1"]
    assert params.chosen_dataset.sha256.model_dump(by_alias=True)["t10k-labels-idx1-ubyte"] == "a" * 64
    training = params.pair().settings
    assert (training.epochs, training.schedule, training.validation_split) == (1, "constant", 0.0)
    found = training.augmentation.model_dump()
    assert found.pop("shift") == 1.0 and set(found.values()) == {0.0}
    assert (training.weight_average, training.ensemble, training.plain_epochs) == (0.0, 1, 0)
    assert (params.chosen_dataset.size, params.chosen_dataset.transpose) == ((28, 28), False)


def test_numbers_are_those_of_yaml_1_2(path):
    path.write_text(GOOD.replace("0.01", "1e-2"), encoding="utf-8")
    assert load_params(path).pair().settings.learning_rate == 0.01


MISTAKES = {  # what is replaced, by what, and the line that follows `some.yaml: `
    "unknown key": ("seed: 0", "seed: 0\nsead: 1", "sead: unknown key; did you mean 'seed'?"),
    "unknown key without a likeness": ("seed: 0", "seed: 0\nqqq: 1", "qqq: unknown key"),
    "unknown key of a training": (
        "{shift: 1}",
        "{shift: 1}\n    epoch: 5",
        "trainings.quick.epoch: unknown key; did you mean 'epochs'?",
    ),
    "unknown key of a data set": (
        "    sources:",
        "    source: x\n    sources:",
        "datasets.small.source: unknown key; did you mean 'sources'?",
    ),
    "unknown key of augmentation": (
        "{shift: 1}",
        "{shft: 1}",
        "trainings.quick.augmentation.shft: unknown key; did you mean 'shift'?",
    ),
    "missing": ("seed: 0\n", "", "seed: expected a value, found nothing"),
    "missing in a training": (
        "    batch_size: 8\n",
        "",
        "trainings.quick.batch_size: expected a value, found nothing",
    ),
    "number in quotes": ("seed: 0", 'seed: "0"', "seed: expected to be a valid integer, found '0'"),
    "below range": (
        "epochs: 1",
        "epochs: 0",
        "trainings.quick.epochs: expected to be greater than or equal to 1, found 0",
    ),
    "no number": (
        "learning_rate: 0.01",
        "learning_rate: .nan",
        "trainings.quick.learning_rate: expected to be a finite number, found nan",
    ),
    "two layers in one": (
        "Flatten: {}",
        "{Flatten: {}, ReLU: {}}",
        "architectures.tiny.0: expected to have at most 1 item",
    ),
    "no hash": ("c" * 64, "c" * 63, "datasets.small.sha256.train-images-idx3-ubyte: expected to match pattern"),
    "other scheme": ("file:some", "ftp://some", "datasets.small.sources.0: expected to match pattern"),
    "shell in a requirement": (
        "file:some/folder",
        "pypi:some==1; touch x",
        "datasets.small.sources.0: expected to match pattern",
    ),
    "class twice": ('["0", "1"]', '["0", "0"]', "datasets.small.classes: expected each name once, found '0' again"),
    "format twice": ("[h5]", "[h5, h5]", "export.formats: expected each name once, found 'h5' again"),
    "name of no data set": (
        "dataset: small",
        "dataset: smal",
        "dataset: expected a key of datasets, found 'smal'; did you mean 'small'?",
    ),
    "name of no architecture": (
        "architecture: tiny",
        "architecture: tinny",
        "architecture: expected a key of architectures, found 'tinny'; did you mean 'tiny'?",
    ),
    "name of no training": (
        "training: quick",
        "training: zzz",
        "training: expected a key of trainings, found 'zzz'",
    ),
    "name of no schedule": (
        "batch_size: 8",
        "batch_size: 8\n    schedule: cosine",
        "trainings.quick.schedule: expected to be 'constant' or 'one_cycle', found 'cosine'",
    ),
    "unknown layer": (
        "Dense:",
        "Dens:",
        "architectures.tiny.1: expected a class of keras.layers, found 'Dens'; did you mean 'Dense'?",
    ),
    "layer that takes code": (
        "- Flatten: {}",
        "- Lambda: {function: os.system}",
        "architectures.tiny.0: expected a class of keras.layers, found 'Lambda'",
    ),
    "layer that takes a file": (
        "- Flatten: {}",
        "- TFSMLayer: {filepath: x}",
        "architectures.tiny.0: expected a class of keras.layers, found 'TFSMLayer'",
    ),
    "function for a layer": (
        "- Flatten: {}",
        "- serialize: {}",
        "architectures.tiny.0: expected a class of keras.layers, found 'serialize'",
    ),
    "unknown optimizer": (
        "{Adam: {}}",
        "{Adm: {}}",
        "trainings.quick.optimizer: expected a class of keras.optimizers, found 'Adm'; did you mean 'Adam'?",
    ),
    "baseline of no training": (
        "seed: 0",
        "seed: 0\nbaselines: {known: {architecture: tiny, training: quik, published_accuracy: 0.5}}",
        "baselines.known.training: expected a key of trainings, found 'quik'; did you mean 'quick'?",
    ),
}


@pytest.mark.parametrize(("old", "new", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_dotted_key(path, old, new, line):
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    message = refusal(path)
    assert message.startswith(f"{path}: {line}")
    assert "\n" not in message


def test_each_of_several_mistakes_has_its_line(path):
    path.write_text(GOOD.replace("seed: 0", "seed: x").replace("epochs: 1", "epochs: 0"), encoding="utf-8")
    keys = [line.removeprefix(f"{path}: ").partition(":")[0] for line in refusal(path).splitlines()]
    assert keys == ["seed", "trainings.quick.epochs"]


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
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(f"{path}: {line}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {0}']",
        "!!python/object/new:os.system ['touch {0}']",
        "!run 'touch {0}'",
    ],
)
def test_a_yaml_tag_runs_nothing(path, tmp_path, tag):
    path.write_text(GOOD.replace("seed: 0", "seed: " + tag.format(tmp_path / "ran")), encoding="utf-8")
    message = refusal(path)
    assert message.startswith(f"{path}: not YAML at line 4: could not determine a constructor for the tag")
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_ends_a_stage_with_one_line(run_module):
    done = run_module("-m", "stages.download")
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: no such file; run this in the project's folder\n"


def test_a_mistake_ends_a_stage_with_one_line(tmp_path, run_module):
    (tmp_path / "params.yaml").write_text(GOOD.replace("seed: 0", "sed: 0"), encoding="utf-8")
    done = run_module("-m", "stages.download")
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: sed: unknown key; did you mean 'seed'?\n"


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--epochs=3", 2), ("fast", 2)])
def test_a_stage_says_what_it_does_and_takes_no_arguments(run_module, argument, code):
    done = run_module("-m", "stages.download", argument)
    assert done.returncode == code
    said = done.stdout if argument == "--help" else done.stderr
    assert said.startswith("usage: python -m stages.download [-h]")
    assert ("Writes: data/raw" in said) == (argument == "--help")


def test_params_cannot_be_changed(path):
    path.write_text(GOOD, encoding="utf-8")
    params = load_params(path)
    for section, key in ((params, "seed"), (params.pair().settings, "epochs"), (params.chosen_dataset, "sources")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, None)


def test_loading_params_imports_neither_tensorflow_nor_keras(tmp_path, run_module):
    (tmp_path / "params.yaml").write_text(GOOD, encoding="utf-8")
    code = "import sys; from mnist.core.params import load_params; load_params(); print(*sys.modules)"
    done = run_module("-c", code)
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert "pydantic" in modules
    assert modules.isdisjoint({"tensorflow", "keras"})


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [("Dens", ["Dense", "Conv2D"], "; did you mean 'Dense'?"), ("zzz", ["Dense"], ""), ("x", [], "")],
)
def test_the_nearest_name_is_proposed_if_there_is_one(name, names, expected):
    assert nearest(name, names) == expected


@pytest.mark.slow
@pytest.mark.parametrize("module", ["layers", "optimizers"])
def test_the_names_read_from_keras_source_are_those_that_keras_has(module):
    import keras

    public = vars(getattr(keras, module))
    classes = {name for name, value in public.items() if isinstance(value, type) and not name.startswith("_")}
    names = keras_classes(module)
    assert names <= classes
    assert {"layers": {"Conv2D", "Dense", "ReLU"}, "optimizers": {"Adam", "SGD"}}[module] <= names
    assert "Lambda" not in names


@pytest.mark.slow
def test_where_keras_has_no_such_source_its_module_is_asked(monkeypatch):
    from_source = keras_classes("layers")
    monkeypatch.setattr(names_of, "find_spec", lambda name: None)
    keras_classes.cache_clear()
    assert {"Conv2D", "Dense"} <= from_source <= keras_classes("layers")
    assert "Lambda" not in keras_classes("layers")
    keras_classes.cache_clear()


# The project's own file, and its schema.


def test_the_projects_params_are_good():
    assert load_params(ROOT / "params.yaml").dataset == "mnist"


@pytest.mark.slow
def test_the_committed_schema_is_the_printed_one(run_module):
    done = run_module("-m", "mnist.schema")
    assert done.stdout == (ROOT / "params.schema.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema():
    found = json.loads((ROOT / "params.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_projects_params_fit_the_schema(schema, content):
    assert [error.message for error in schema.iter_errors(content)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 0", "seed: 0\nsead: 1"),
        ("seed: 0\n", ""),
        ("seed: 0", "seed: x"),
        ("epochs: 1", "epochs: 0"),
        ("Dense:", "Dens:"),
        ("{Adam: {}}", "{Adm: {}}"),
        ("Flatten: {}", "Lambda: {}"),
        ("c" * 64, "c" * 63),
    ],
)
def test_the_schema_refuses_what_the_pipeline_refuses(schema, old, new):
    assert schema.is_valid(yaml.safe_load(GOOD))
    assert old in GOOD
    assert not schema.is_valid(yaml.safe_load(GOOD.replace(old, new, 1)))


def test_editors_find_the_schema():
    first = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=params.schema.json"
    assert Path(ROOT, "params.schema.json").is_file()
