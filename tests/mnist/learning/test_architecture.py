"""Architectures: published parameter counts, errors that name their place, YAML and JSON both ways."""

import json

import pytest
import yaml

from mnist.core.params import load_params
from mnist.learning.architecture import ArchitectureError, build
from mnist.learning.serialization import from_json, from_yaml, to_json, to_yaml
from tests.conftest import ROOT, TINY

pytestmark = pytest.mark.slow

PARAMETERS = {  # as published, or counted by hand
    "fashion": 220_650,
    "bn_cnn": 330_730,
    "blog_5x5": 1_111_946,
    "patna_1": 623_290,
    "patna_2": 1_238_730,
    "patna_3": 1_854_170,
    "patna_dropout": 1_854_170,
    "haque": 1_199_882,
    # 5²·16, 4·16, 3²·16·32, 4·32, 4²·32·64, 4·64, 64·10+10; and 48 in place of 32
    "fast": 400 + 64 + 4_608 + 128 + 32_768 + 256 + 650,
    "brisk": 400 + 64 + 6_912 + 192 + 49_152 + 256 + 650,
    # 3²·32, 4·32, 3²·32·48, 4·48, 3²·48·64, 4·64, 3²·64·96, 4·96, 3²·96·128, 4·128, 3²·128·128, 4·128, 3²·128·10+10
    "best": 288 + 128 + 13_824 + 192 + 27_648 + 256 + 55_296 + 384 + 110_592 + 512 + 147_456 + 512 + 11_530,
}

BN_CNN = {  # name: (class, output shape of one image)
    "conv0": ("Conv2D", (26, 26, 32)),
    "bn0": ("BatchNormalization", (26, 26, 32)),
    "conv1": ("Conv2D", (24, 24, 32)),
    "bn1": ("BatchNormalization", (24, 24, 32)),
    "MP1": ("MaxPooling2D", (12, 12, 32)),
    "conv2": ("Conv2D", (10, 10, 64)),
    "bn2": ("BatchNormalization", (10, 10, 64)),
    "conv3": ("Conv2D", (8, 8, 64)),
    "bn3": ("BatchNormalization", (8, 8, 64)),
    "MP2": ("MaxPooling2D", (4, 4, 64)),
    "fc1": ("Dense", (256,)),
    "fco": ("Dense", (10,)),
}

END = [{"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]


@pytest.fixture(scope="module")
def architectures():
    return load_params(ROOT / "params.yaml").architectures


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_an_architecture_has_the_expected_number_of_parameters(architectures, name, parameters):
    if name not in architectures:
        pytest.skip(f"params.yaml has no architecture {name}")
    assert build(name, architectures[name], 10).count_params() == parameters


def test_every_architecture_builds_and_has_a_known_number_of_parameters(architectures):
    assert set(architectures) <= set(PARAMETERS)


def test_bn_cnn_has_the_layers_of_the_publication(architectures):
    model = build("bn_cnn", architectures["bn_cnn"], 10)
    named = [layer for layer in model.layers if layer.name in BN_CNN]
    assert [layer.name for layer in named] == list(BN_CNN)
    assert {layer.name: (type(layer).__name__, layer.output.shape[1:]) for layer in named} == BN_CNN
    assert model.name == "bn_cnn"
    assert model.input_shape == (None, 28, 28, 1)
    assert [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"] == [0.2, 0.4]


@pytest.mark.parametrize("classes", [2, 47])
def test_a_last_dense_layer_without_units_has_one_for_each_class(classes):
    layers = [{"Flatten": {}}, {"Dense": {"units": 5}}, {"Dense": {"activation": "softmax"}}]
    assert build("any", layers, classes).output_shape == (None, classes)


def test_images_may_have_another_shape():
    model = build("any", [{"Flatten": {}}, {"Dense": {"activation": "softmax"}}], 10, (20, 30))
    assert model.input_shape == (None, 20, 30, 1)
    assert model.count_params() == (20 * 30 + 1) * 10


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"Dense": {"units": 3, "activaton": "relu"}}, ["1.Dense", "activaton"]),
        ({"Dense": {}}, ["1.Dense", "units"]),
        ({"Dense": {"unitz": 3}}, ["1.Dense", "unknown argument 'unitz'", "did you mean 'units'?"]),
        ({"Dense": {"units": -1}}, ["1.Dense", "units", "-1"]),
        ({"Dense": {"units": 3, "activation": "rellu"}}, ["1.Dense", "activation", "rellu"]),
        ({"Dense": {"units": 3, "kernel_initializer": "glorot"}}, ["1.Dense", "initializer", "glorot"]),
        ({"Dense": {"units": 3, "kernel_initializer": {"Normal": {}}}}, ["1.Dense", "kernel_initializer", "Normal"]),
        ({"Dense": {"units": 3, "activation": {"x": 1}}}, ["1.Dense", "activation", "{'x': 1}"]),
        ({"Conv2D": {"filters": 3, "kernel_size": 99}}, ["1.Conv2D", "99"]),
        ({"Dropout": {"rate": 2}}, ["1.Dropout", "rate", "2"]),
        ({"LSTM": {"units": 3}}, ["1.LSTM", "ndim=3"]),
        ({"Flatten": {"name": "first"}}, ["1.Flatten", "first"]),
        # Exceptions of other kinds than Keras' usual ones.
        ({"BatchNormalization": {"axis": 9}}, ["1.BatchNormalization"]),
        ({"MaxPooling2D": {"pool_size": 2, "strides": 0}}, ["1.MaxPooling2D", "zero"]),
        ({"MaxPooling2D": {"pool_size": 99}}, ["1.MaxPooling2D", "size"]),
        ({"Layer": {}}, ["bad"]),
    ],
)
def test_a_layer_that_cannot_be_built_is_named_in_one_line(layer, words):
    with pytest.raises(ArchitectureError) as refusal:
        build("bad", [{"ReLU": {"name": "first"}}, layer, *END], 10)
    message = str(refusal.value)
    assert message.startswith("params.yaml: architectures.bad")
    assert all(word in message for word in words)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("layers", "found"),
    [(END[:1], "(None, 784)"), (END[1:], "(None, 28, 28, 10)"), ([*END, {"Dense": {"units": 9}}], "(None, 9)")],
)
def test_another_output_shape_than_one_probability_a_class_is_refused(layers, found):
    with pytest.raises(ArchitectureError) as refusal:
        build("bad", layers, 10)
    message = str(refusal.value)
    assert message.startswith("params.yaml: architectures.bad: expected output shape (None, 10), found ")
    assert found in message


def test_an_initializer_of_its_own_reaches_the_layer():
    initializer = {"RandomNormal": {"stddev": 0.05, "seed": 1}}
    last = {"Dense": {"units": 10, "activation": "softmax", "kernel_initializer": initializer}}
    model = build("one", [END[0], last], 10)
    kernel = model.layers[-1].kernel.numpy()
    assert kernel.shape == (784, 10)
    assert abs(kernel.std() - 0.05) < 0.003  # 7,840 draws: standard error 0.0004


@pytest.mark.parametrize("name", [*PARAMETERS, "tiny"])
@pytest.mark.parametrize(("write", "read"), [(to_json, from_json), (to_yaml, from_yaml)], ids=["JSON", "YAML"])
def test_an_architecture_comes_back_from_text(architectures, name, write, read):
    layers = architectures.get(name, TINY)
    model = build(name, layers, 10)
    copy = read(write(model))
    assert [(type(layer).__name__, layer.get_config()) for layer in copy.layers] == [
        (type(layer).__name__, layer.get_config()) for layer in model.layers
    ]
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]


def test_yaml_and_json_say_the_same_and_end_their_line():
    model = build("tiny", TINY, 10)
    written = {key: value for key, value in json.loads(model.to_json()).items() if key != "compile_config"}
    assert yaml.safe_load(to_yaml(model)) == json.loads(to_json(model)) == written
    assert to_json(model).endswith("}\n")
    assert to_yaml(model).endswith("\n")


def test_hostile_yaml_runs_nothing(tmp_path):
    with pytest.raises(ArchitectureError, match="python/object/apply"):
        from_yaml(f"!!python/object/apply:os.system ['touch {tmp_path}/ran']")
    assert not (tmp_path / "ran").exists()


HOSTILE = [
    {"module": "builtins", "class_name": "function", "config": "eval"},
    {"module": "os", "class_name": "system", "config": {}},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}},
    {"class_name": "TFSMLayer", "config": {"filepath": "x"}},
]


@pytest.mark.parametrize("part", HOSTILE)
def test_an_architecture_that_names_code_is_refused(part):
    config = json.loads(to_json(build("tiny", TINY, 10)))
    config["config"]["layers"].append(part)
    with pytest.raises(ArchitectureError, match=part["class_name"]):
        from_json(json.dumps(config))


def test_the_architecture_of_a_model_read_from_a_file_comes_back(tiny_model, tmp_path):
    from mnist.learning.model import load_model

    tiny_model.save(tmp_path / "tiny.h5")
    model = load_model(tmp_path / "tiny.h5")
    for copy in (from_json(to_json(model)), from_yaml(to_yaml(model))):
        assert [layer.get_config() for layer in copy.layers] == [layer.get_config() for layer in model.layers]


def test_a_sequential_without_an_input_layer_is_built_for_the_shape_it_names():
    config = json.loads(to_json(build("tiny", TINY, 10)))
    config["config"] = {
        "name": "tiny",
        "layers": config["config"]["layers"][1:],
        "build_input_shape": [None, 28, 28, 1],
    }
    copy = from_json(json.dumps(config))
    assert copy.input_shape == (None, 28, 28, 1)
    assert copy.output_shape == (None, 10)


@pytest.mark.parametrize("read", [from_json, from_yaml])
@pytest.mark.parametrize("text", ["{}", "[]", '{"class_name": "Sequential"}'])
def test_a_text_that_is_no_architecture_is_refused(read, text):
    with pytest.raises(ArchitectureError, match=r"^architecture (JSON|YAML): expected a mapping with class_name"):
        read(text)


def test_outputs_that_are_no_probabilities_are_refused():
    with pytest.raises(ArchitectureError, match="expected probabilities"):
        build("linear", [END[0], {"Dense": {"units": 10}}], 10)
