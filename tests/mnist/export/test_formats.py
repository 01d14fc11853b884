"""Every export format, loaded in its own runtime, against a forward pass in NumPy."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import onnx
import pytest
from tensorflow.lite.tools import flatbuffer_utils

from mnist.core.files import read_json
from mnist.core.params import load_recipe
from mnist.export.card import card
from mnist.export.formats import FORMATS, FormatError, chosen
from mnist.export.proof import TOLERANCE, ExportError, ask, prove
from mnist.export.runtime import Source
from mnist.learning.architecture import build
from mnist.learning.backend import quiet
from mnist.learning.model import hdf5, load_model, predict
from mnist.learning.serialization import from_json, to_json
from tests.conftest import ABOUT, ROOT
from tests.mnist.export.conftest import forward

# The int8 converter, of TensorFlow itself, warns of ranges that it takes from the calibration images anyway.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")]
NAME = "MNIST_keras_CNN"


WRITE = """
import sys
from pathlib import Path
import numpy as np
from mnist.export.card import card
from mnist.export.formats import FORMATS
from mnist.export.runtime import Source
from mnist.learning.model import load_model
from tests.conftest import ABOUT

file, calibration, folder = map(Path, sys.argv[1:])
source = Source(load_model(file), file, np.load(calibration), ABOUT)
for row in FORMATS.values():
    row.write(source, folder / row.file(ABOUT.version))
"""


def write_all(source, folder, **variables):
    """Write every format in a process of its own, because TensorFlow counts names up within one."""
    folder.mkdir()
    np.save(folder.parent / "calibration.npy", source.calibration)
    command = [sys.executable, "-c", WRITE, source.file, folder.parent / "calibration.npy", folder]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def written(source, tmp_path_factory):
    """A folder with the tiny model in every format."""
    return write_all(source, tmp_path_factory.mktemp("formats") / "export")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_loaded_back_and_predicts_what_numpy_computes(tiny_model, source, written, test_part, name):
    images, row = test_part[0], FORMATS[name]
    with quiet():
        found = ask(row.load(written / row.file(ABOUT.version), source), images, {})
    expected = forward(tiny_model, images)
    assert found.shape == (360, 10)
    if row.exact:
        assert np.abs(found - expected).max() < TOLERANCE
    else:
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
        assert np.abs(found - expected).max() < 0.05


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of `open` in lines that are short
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "wheel"])  # which test_wheel.py has installed
def test_a_block_of_the_card_runs_after_the_first_alone(facts, tiny_model, written, test_part, monkeypatch, name):
    monkeypatch.chdir(written)
    first, block = re.findall(r"```python\n(.*?)\n```", card(facts, [], {name: FORMATS[name]}), re.S)
    *lines, last = block.splitlines()
    pixels, names = test_part[0][:20, ..., None], {}
    with quiet():
        exec(first, names)
        names |= {"pixels": pixels, "x": pixels / np.float32(255)}
        exec("\n".join(lines), names)
        found = eval(last, names)
    expected = forward(tiny_model, test_part[0][:20])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE if FORMATS[name].exact else 0.05)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_formats_written_again_have_the_same_bytes(source, written, tmp_path):
    again, first = files(write_all(source, tmp_path / "again")), files(written)
    assert again.keys() == first.keys()
    assert [name for name in first if again[name] != first[name]] == []
    assert first[f"{NAME}.h5"] == source.file.read_bytes()


MACHINES = {
    "hash seed 1, one thread, C": {"PYTHONHASHSEED": "1", "TF_NUM_INTRAOP_THREADS": "1", "LC_ALL": "C"},
    "hash seed 2, two threads, Turkish": {
        "PYTHONHASHSEED": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
        "LC_ALL": "tr_TR.UTF-8",
    },
}


@pytest.mark.parametrize("recipe", ["fast", "small_data", *(["default"] if "FUZZ" in os.environ else [])])
def test_no_hash_seed_number_of_threads_or_locale_changes_a_byte_of_an_export(recipe, real_digits, tmp_path):
    loaded = load_recipe(ROOT / f"recipes/{recipe}.yaml")
    model = build(recipe, loaded.model, 10)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    (tmp_path / "model.h5").write_bytes(hdf5(model))
    source = Source(model, tmp_path / "model.h5", real_digits[0][:10], ABOUT)
    expected = files(write_all(source, tmp_path / "export", PYTHONHASHSEED="0"))
    for name, variables in MACHINES.items():
        found = files(write_all(source, tmp_path / name, **variables))
        assert [file for file in expected | found if found.get(file) != expected.get(file)] == [], name


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


def test_a_whole_model_keeps_its_optimizer_state_and_the_weights_alone_hold_none(tiny_model, written):
    for suffix in (".h5", ".keras"):
        copy = load_model(written / f"{NAME}{suffix}")
        assert int(copy.optimizer.iterations) == int(tiny_model.optimizer.iterations) == 4 * 45
    with h5py.File(written / f"{NAME}.weights.h5") as file:
        assert {dataset.name for dataset in datasets(file)} == {
            *(f"/layers/conv2d/vars/{i}" for i in range(2)),
            *(f"/layers/batch_normalization/vars/{i}" for i in range(4)),
            *(f"/layers/dense/vars/{i}" for i in range(2)),
        }


def datasets(group):
    found = []
    group.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


@pytest.mark.parametrize("name", ["saved_model", "litert"])
def test_a_model_with_other_weights_is_written_anew(tiny_model, written, test_part, tmp_path, name):
    model, images = from_json(to_json(tiny_model)), test_part[0]
    model.set_weights([weight + 0.1 for weight in tiny_model.get_weights()])
    source = Source(model, tmp_path / name, images, ABOUT)
    with quiet():
        FORMATS[name].write(source, tmp_path / name)
        found = FORMATS[name].load(tmp_path / name, source)(images)
    np.testing.assert_allclose(found, predict(model, images), atol=TOLERANCE)


@pytest.mark.parametrize("change", [1.0, float("nan")], ids=["changed", "not a number"])
def test_an_export_with_other_weights_is_refused(tiny_model, source, written, test_part, tmp_path, change):
    images, labels = test_part
    path = tmp_path / f"{NAME}.weights.h5"
    shutil.copyfile(written / path.name, path)
    with h5py.File(path, "a") as file:
        kernel = max(datasets(file), key=lambda dataset: dataset.size)
        kernel[:, 0] = kernel[:, 0] + change
    found = ask(FORMATS["weights"].load(path, source), images, {})
    with pytest.raises(ExportError, match=rf"^models/export/{path.name}: expected probabilities within"):
        prove("weights", path, found, forward(tiny_model, images), labels)


def test_a_format_that_is_not_in_the_table_is_refused_and_the_others_come_in_the_order_asked_for():
    assert list(chosen(["onnx", "h5"])) == ["onnx", "h5"]
    with pytest.raises(FormatError) as refusal:
        chosen(["h5", "onx"])
    expected = f"expected one of {', '.join(FORMATS)}, found 'onx'; did you mean 'onnx'?"
    assert str(refusal.value) == f"params.yaml: export.formats.1: {expected}"
