"""Every export format, against a forward pass in NumPy; and the stage that refuses a damaged one."""

import json
import shutil
import zipfile

import h5py
import numpy as np
import onnx
import pytest
import yaml
from tensorflow.lite.tools import flatbuffer_utils

from mnist.core.files import read_json
from mnist.export.folding import folded
from mnist.export.formats import FORMATS, FormatError, chosen
from mnist.export.proof import TOLERANCE, ExportError, ask, check, compare
from mnist.export.runtime import Source
from mnist.learning.backend import keras, quiet
from mnist.learning.model import load_model, predict
from mnist.learning.serialization import from_json, to_json
from tests import digits
from tests.conftest import ABOUT

# The int8 converter, of TensorFlow itself, warns of ranges that it takes from the calibration images anyway.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")]
NAME = "MNIST_keras_CNN"


def forward(model, images):
    """The tiny model in NumPy: convolution of stride 3, batch normalization, ReLU, dense layer, softmax."""
    weight = {variable.path.partition("/")[2]: variable.numpy().astype(np.float64) for variable in model.variables}
    x = images.astype(np.float64)[:, :27, :27] / 255
    patches = x.reshape(len(x), 9, 3, 9, 3)
    x = np.einsum("nrycx,yxf->nrcf", patches, weight["conv/kernel"][:, :, 0]) + weight["conv/bias"]
    x = (x - weight["bn/moving_mean"]) / np.sqrt(weight["bn/moving_variance"] + 0.001)
    x = np.maximum(x * weight["bn/gamma"] + weight["bn/beta"], 0).reshape(len(x), -1)
    x = np.exp(x @ weight["out/kernel"] + weight["out/bias"])
    return x / x.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def test_part(real_digits):
    images, labels = real_digits
    return images[digits.TRAIN :], labels[digits.TRAIN :]


def write_all(source, folder):
    folder.mkdir()
    with quiet():
        for row in FORMATS.values():
            row.write(source, folder / row.file(ABOUT.version))
    return folder


@pytest.fixture(scope="module")
def written(source, tmp_path_factory):
    """A folder with the tiny model in every format."""
    return write_all(source, tmp_path_factory.mktemp("formats") / "export")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_loaded_back_and_predicts_what_numpy_computes(tiny_model, source, written, test_part, name):
    images, _ = test_part
    row = FORMATS[name]
    with quiet():
        found = ask(row.load(written / row.file(ABOUT.version), source), images, {})
    expected = forward(tiny_model, images)
    assert found.shape == (360, 10)
    if row.exact:
        assert np.abs(found - expected).max() < TOLERANCE
    else:
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
        assert np.abs(found - expected).max() < 0.05


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_formats_written_again_have_the_same_bytes(source, written, tmp_path):
    again = files(write_all(source, tmp_path / "again"))
    first = files(written)
    assert again.keys() == first.keys()
    # These hold names that TensorFlow counts up within a process; test_pipeline.py compares whole runs.
    counted = (f"{NAME}.onnx", f"{NAME}_saved_model", "mnist_keras_cnn-")
    assert [name for name in first if again[name] != first[name] and not name.startswith(counted)] == []


def test_the_h5_export_is_the_models_own_file(source, written):
    assert (written / f"{NAME}.h5").read_bytes() == source.file.read_bytes()


def test_the_written_architecture_is_data_in_yaml_and_json(written):
    content = yaml.safe_load((written / f"{NAME}.yaml").read_text(encoding="utf-8"))
    assert content["class_name"] == "Sequential"
    assert content == read_json(written / f"{NAME}.json")


def test_what_the_model_is_travels_in_every_format_that_has_a_place_for_it(written):
    metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(written / f"{NAME}.onnx").metadata_props}
    litert = {}
    for suffix in ("", "_int8"):
        content = (written / f"{NAME}{suffix}.tflite").read_bytes()
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
        (buffer,) = [entry.buffer for entry in model.metadata if entry.name == b"about"]
        litert[suffix] = json.loads(bytes(model.buffers[buffer].data))
    archive = json.loads(zipfile.ZipFile(written / f"{NAME}.keras").read("about.json"))
    beside = read_json(written / f"{NAME}_saved_model/assets.extra/about.json")
    expected = json.loads(json.dumps(ABOUT._asdict()))
    assert metadata == litert[""] == litert["_int8"] == archive == beside == expected
    assert expected["classes"] == list("0123456789")


def test_a_whole_model_keeps_its_optimizer_state(tiny_model, written):
    for suffix in (".h5", ".keras"):
        copy = load_model(written / f"{NAME}{suffix}")
        assert int(copy.optimizer.iterations) == int(tiny_model.optimizer.iterations) == 4 * 45


def test_the_weights_alone_hold_no_optimizer(written, tiny_model):
    names = []
    with h5py.File(written / f"{NAME}.weights.h5") as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    assert sorted(names) == sorted(
        [f"layers/conv2d/vars/{i}" for i in range(2)]
        + [f"layers/batch_normalization/vars/{i}" for i in range(4)]
        + [f"layers/dense/vars/{i}" for i in range(2)]
    )


def test_a_model_with_other_weights_is_written_anew(tiny_model, written, test_part, tmp_path):
    model, images = from_json(to_json(tiny_model)), test_part[0]
    for name, step in (("saved_model", 0.1), ("litert", 0.2)):
        model.set_weights([weight + step for weight in tiny_model.get_weights()])
        path = tmp_path / name
        with quiet():
            FORMATS[name].write(Source(model, path, images, ABOUT), path)
            found = FORMATS[name].load(path, Source(model, path, images, ABOUT))(images)
        np.testing.assert_allclose(found, predict(model, images), atol=TOLERANCE)


CONV = {"Conv2D": {"filters": 4, "kernel_size": 3}}
BIASLESS = {"Conv2D": {"filters": 4, "kernel_size": 3, "use_bias": False}}
BN, DENSE, FLATTEN = {"BatchNormalization": {}}, {"Dense": {"units": 5}}, {"Flatten": {}}


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        ([CONV, BN, {"ReLU": {}}, FLATTEN, DENSE, BN], 0),
        ([BIASLESS, BN, CONV, {"BatchNormalization": {"scale": False}}, {"BatchNormalization": {"center": False}}], 0),
        ([CONV, {"BatchNormalization": {"axis": 3}}], 0),
        ([CONV, {"BatchNormalization": {"axis": 1}}], 1),
        ([{"Conv2D": {"filters": 4, "kernel_size": 3, "activation": "relu"}}, BN], 1),
        ([BN, CONV, {"MaxPooling2D": {}}, BN], 2),
        ([{"Reshape": {"target_shape": [12, 12]}}, {"Masking": {}}, DENSE, BN], 0),
        ([FLATTEN, {"Dense": {"units": 5, "lora_rank": 2}}, BN], 1),
    ],
)
def test_a_normalization_is_folded_only_into_a_linear_layer_and_changes_no_answer(layers, left):
    model, rng = model_of(layers), np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, weight.shape) for weight in model.get_weights()])
    images = rng.normal(size=(6, 12, 12, 1)).astype(np.float32)
    plain = folded(model)
    assert normalizations(plain) == left
    np.testing.assert_allclose(plain(images), model(images, training=False), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layers",
    [
        [{"Permute": {"dims": [3, 1, 2]}}, {"Conv2D": {**CONV["Conv2D"], "data_format": "channels_first"}}, BN],
        [{"Conv2D": {**CONV["Conv2D"], "dtype": "mixed_float16"}}, BN],
    ],
)
def test_a_normalization_stays_after_a_convolution_that_not_every_processor_runs(layers):
    """Only looked at: oneDNN has neither of the two without AVX-512."""
    assert normalizations(folded(model_of(layers))) == 1


def model_of(layers):
    made = [getattr(keras.layers, kind)(**settings) for layer in layers for kind, settings in layer.items()]
    return keras.Sequential([keras.Input((12, 12, 1)), *made])


def normalizations(model):
    return sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


# The stage's judgement.


@pytest.mark.parametrize("change", [1.0, float("nan")], ids=["changed", "not a number"])
def test_an_export_with_other_weights_is_refused(tiny_model, source, written, test_part, tmp_path, change):
    images, labels = test_part
    path = tmp_path / f"{NAME}.weights.h5"
    shutil.copyfile(written / path.name, path)
    with h5py.File(path, "a") as file:
        kernel = max(datasets(file), key=lambda dataset: dataset.size)
        kernel[:, 0] = kernel[:, 0] + change
    expected = forward(tiny_model, images)
    found = ask(FORMATS["weights"].load(path, source), images, {})
    with pytest.raises(ExportError) as refusal:
        check(path, compare(found, expected, labels), expected, labels, exact=True)
    assert str(refusal.value).startswith(f"{path}: expected probabilities within")
    assert "\n" not in str(refusal.value)


def datasets(group):
    found = []
    group.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


EXPECTED = np.array([[0.75, 0.25], [0.25, 0.75]])
LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("found", "exact", "good"),
    [
        (EXPECTED, True, True),
        (EXPECTED + 1e-6, True, True),
        (EXPECTED + np.array([[2e-4, -2e-4], [0, 0]]), True, False),
        (EXPECTED[::-1], True, False),
        (np.full((2, 2), np.nan), True, False),
        (np.array([[np.nan, np.nan], [0.25, 0.75]]), True, False),  # every prediction is still the same
        (EXPECTED + 0.1, False, True),
        (EXPECTED[::-1], False, False),
    ],
)
def test_an_export_is_judged_by_its_predictions(found, exact, good):
    result = compare(found, EXPECTED, LABELS)
    if good:
        check("some", result, EXPECTED, LABELS, exact)
    else:
        with pytest.raises(ExportError, match=r"^some: expected "):
            check("some", result, EXPECTED, LABELS, exact)


def test_the_comparison_counts_what_differs():
    found = np.array([[0.5, 0.5], [0.75, 0.25]])
    expected = {"accuracy": 0.5, "max_probability_difference": 0.5, "changed_predictions": 1}
    assert compare(found, EXPECTED, LABELS) == expected


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of `open` in lines that are short
@pytest.mark.parametrize("name", FORMATS)
def test_the_lines_in_the_model_card_can_be_pasted(tiny_model, written, test_part, tmp_path, monkeypatch, name):
    monkeypatch.chdir(written)
    if name == "wheel":  # as if installed
        zipfile.ZipFile(FORMATS[name].file(ABOUT.version)).extractall(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
    pixels = test_part[0][:20, ..., None]
    *lines, last = FORMATS[name].usage.format(file=FORMATS[name].file(ABOUT.version)).splitlines()
    names = {"pixels": pixels, "x": pixels / np.float32(255)}
    with quiet():
        exec("\n".join(lines), names)
        found = eval(last, names)
    expected = forward(tiny_model, test_part[0][:20])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE if FORMATS[name].exact else 0.05)


def test_a_format_that_is_not_in_the_table_is_refused_in_one_line():
    with pytest.raises(FormatError) as refusal:
        chosen(["h5", "onx"])
    expected = f"expected one of {', '.join(FORMATS)}, found 'onx'; did you mean 'onnx'?"
    assert str(refusal.value) == f"params.yaml: export.formats.1: {expected}"


def test_the_chosen_formats_come_in_the_order_asked_for():
    assert list(chosen(["onnx", "h5"])) == ["onnx", "h5"]


KERAS = ("h5", "keras", "weights", "yaml", "json")


def test_equal_keras_models_are_asked_once_and_a_changed_one_for_itself(tiny_model, source, written, test_part):
    images, answers = test_part[0], {}
    loaded = {name: FORMATS[name].load(written / FORMATS[name].file(ABOUT.version), source) for name in KERAS}
    for model in loaded.values():
        ask(model, images, answers)
    assert len(answers) == 1
    kernel, *rest = loaded["json"].get_weights()
    loaded["json"].set_weights([kernel + 1, *rest])
    changed = ask(loaded["json"], images, answers)
    assert len(answers) == 2
    assert np.abs(changed - forward(tiny_model, images)).max() > TOLERANCE
