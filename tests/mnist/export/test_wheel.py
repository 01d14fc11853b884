"""The wheel with the model inside: its bytes, and what it does once installed where nothing else is."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from mnist.export.wheel import file_name, load_wheel, write_wheel
from mnist.learning.backend import quiet
from mnist_reader.preparation import prepare
from tests.conftest import ABOUT
from tests.digits import render

pytestmark = pytest.mark.slow
NAME = "mnist_keras_cnn"


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("wheel") / file_name(ABOUT.version)
    with quiet():
        write_wheel(source, path)
    return path


@pytest.fixture(scope="module")
def files(wheel):
    """The wheel's files, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def probabilities(files):
    """Images `uint8` `(n, 28, 28)` → what ONNX Runtime answers here with the wheel's model."""
    session = onnxruntime.InferenceSession(files[f"{NAME}/model.onnx"])
    return lambda images: session.run(None, {"image": images[..., None] / np.float32(255)})[0]


def test_the_record_names_each_file_with_its_hash(files):
    record = f"{NAME}-{ABOUT.version}.dist-info/RECORD"
    rows = list(csv.reader(io.StringIO(files[record].decode())))
    expected = [
        [name, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("="), str(size)]
        for name, content in files.items()
        for size in [len(content)]
        if name != record
    ]
    assert sorted(rows) == sorted([*expected, [record, "", ""]])


def test_no_module_of_the_wheel_names_this_project(files):
    code = {name: content.decode() for name, content in files.items() if name.endswith(".py")}
    assert {f"{NAME}/__init__.py", f"{NAME}/inference/reader.py"} < code.keys()
    assert [name for name, text in code.items() if "import mnist" in text or "from mnist." in text] == []


WRITE = """
import sys
from pathlib import Path
from mnist.export.runtime import Source
from mnist.export.wheel import write_wheel
from mnist.learning.model import load_model
from tests.conftest import ABOUT
write_wheel(Source(load_model(Path(sys.argv[1])), Path(sys.argv[1]), None, ABOUT), Path(sys.argv[2]))
"""


def test_a_wheel_written_again_has_the_same_bytes(source, run_module, tmp_path):
    """By two processes: TensorFlow counts names up within one."""
    for name in "ab":
        done = run_module("-c", WRITE, source.file, tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_proof_asks_a_copy_of_the_wheel(wheel, source, probabilities, real_digits):
    images = real_digits[0][-50:]
    np.testing.assert_allclose(load_wheel(wheel, source)(images), probabilities(images), atol=1e-6)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of a new virtual environment that holds the wheel and what pip installs with it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    command = [programs / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    # First the index is asked for what the wheel needs: where there is none, that is no failure of the wheel.
    done = subprocess.run([*command, "--dry-run", "onnxruntime"], capture_output=True, text=True, check=False)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"pip install: {done.stderr[-300:]}")
    subprocess.run([*command, wheel], check=True)
    return programs


def run(program, *arguments, folder):
    """What a program of the virtual environment prints, run in another folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


LOOK = f"""
import base64, hashlib, json
from importlib.metadata import distribution, distributions
from importlib.util import find_spec
def right(file):
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_binary()).digest())
    return digest.decode().rstrip("=") == file.hash.value
print(json.dumps({{
    "wrong": [str(file) for file in distribution("{NAME}").files if file.hash and not right(file)],
    "found": [name for name in ("tensorflow", "keras", "mnist", "apps", "stages", "tests") if find_spec(name)],
    "distributions": [distribution.name.lower() for distribution in distributions()],
}}))
"""


def test_pip_installs_it_with_what_it_needs_and_nothing_of_this_project(installed, tmp_path):
    there = json.loads(run(installed / "python", "-c", LOOK, folder=tmp_path))
    assert (there["wrong"], there["found"]) == ([], [])
    assert {"mnist-keras-cnn", "numpy", "onnxruntime", "pillow"} < set(there["distributions"])


ASK = """
import sys, numpy
from mnist_keras_cnn import Reader
reader = Reader()
numpy.save(sys.argv[2], reader.classifier(numpy.load(sys.argv[1])))
print(reader.read(sys.argv[3]).text, reader.about.version, *reader.about.classes)
"""


def test_the_installed_reader_answers_as_onnx_runtime_does_here(installed, probabilities, real_digits, tmp_path):
    images = real_digits[0][-200:]
    np.save(tmp_path / "images.npy", images)
    render(load_digits().images[3]).save(tmp_path / "digit.png")
    printed = run(installed / "python", "-c", ASK, "images.npy", "answers.npy", "digit.png", folder=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), probabilities(images), atol=1e-6)
    expected = probabilities(prepare(tmp_path / "digit.png")[None]).argmax()
    assert printed.split() == [str(expected), ABOUT.version, *ABOUT.classes]


def test_the_installed_command_reads_a_picture(installed, probabilities, tmp_path):
    render(load_digits().images[6]).save(tmp_path / "digit.png")
    (row,) = json.loads(run(installed / "mnist-read", "--json", "digit.png", folder=tmp_path))
    (expected,) = probabilities(prepare(tmp_path / "digit.png")[None])
    assert (row["file"], row["digit"]) == ("digit.png", str(expected.argmax()))
    assert row["confidence"] == pytest.approx(expected.max(), abs=1e-5)
    assert "digit.png" in run(installed / "mnist-read", "digit.png", folder=tmp_path)
