"""Architectures as YAML and JSON, both ways; what comes from outside runs no code."""

import json

import pytest
import yaml

from mnist.core.params import load_recipe
from mnist.learning.architecture import ArchitectureError, build
from mnist.learning.model import load_model
from mnist.learning.serialization import from_json, from_yaml, to_json, to_yaml
from tests.conftest import ROOT, TINY

pytestmark = pytest.mark.slow


def configurations(model):
    return [(type(layer).__name__, layer.get_config()) for layer in model.layers]


@pytest.mark.parametrize("name", ["default", "haque", "patna_3", "brisk", "best"])
@pytest.mark.parametrize(("write", "read"), [(to_json, from_json), (to_yaml, from_yaml)], ids=["JSON", "YAML"])
def test_an_architecture_comes_back_from_text(name, write, read):
    model = build(name, load_recipe(ROOT / f"recipes/{name}.yaml").model, 10)
    copy = read(write(model))
    assert configurations(copy) == configurations(model)
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]


def test_the_architecture_of_a_model_read_from_a_file_comes_back(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "tiny.h5")
    model = load_model(tmp_path / "tiny.h5")
    for copy in (from_json(to_json(model)), from_yaml(to_yaml(model))):
        assert configurations(copy) == configurations(model)


def test_yaml_and_json_say_the_same_and_end_their_line(tiny_model):
    written = {key: value for key, value in json.loads(tiny_model.to_json()).items() if key != "compile_config"}
    assert yaml.safe_load(to_yaml(tiny_model)) == json.loads(to_json(tiny_model)) == written
    assert to_json(tiny_model).endswith("}\n") and to_yaml(tiny_model).endswith("\n")


def test_a_sequential_without_an_input_layer_is_built_for_the_shape_it_names():
    config = json.loads(to_json(build("tiny", TINY, 10)))
    layers = config["config"]["layers"][1:]
    config["config"] = {"name": "tiny", "layers": layers, "build_input_shape": [None, 28, 28, 1]}
    copy = from_json(json.dumps(config))
    assert (copy.input_shape, copy.output_shape) == ((None, 28, 28, 1), (None, 10))


@pytest.mark.parametrize(
    "part",
    [
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}},
        {"class_name": "TFSMLayer", "config": {"filepath": "x"}},
    ],
    ids=lambda part: part["class_name"],
)
@pytest.mark.parametrize(("write", "read"), [(json.dumps, from_json), (yaml.safe_dump, from_yaml)])
def test_an_architecture_that_names_code_is_refused(part, write, read):
    config = json.loads(to_json(build("tiny", TINY, 10)))
    config["config"]["layers"].append(part)
    with pytest.raises(ArchitectureError, match=part["class_name"]):
        read(write(config))


@pytest.mark.parametrize(
    "tag", ["object/apply:os.system", "object:os.system", "name:os.system", "module:os", "object/new:os.system"]
)
def test_other_python_tags_than_those_of_plain_values_are_refused_by_name_and_run_nothing(tag, tmp_path):
    with pytest.raises(ArchitectureError, match=rf"^[^\n]*python/{tag}[^\n]*$"):
        from_yaml(f"class_name: !!python/{tag} ['touch {tmp_path}/ran']")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("read", [from_json, from_yaml])
@pytest.mark.parametrize("text", ["{}", "[]", '{"class_name": "Sequential"}'])
def test_a_text_that_is_no_architecture_is_refused(read, text):
    with pytest.raises(ArchitectureError, match=r"^architecture (JSON|YAML): expected a mapping with class_name"):
        read(text)
