"""The wheel with the model inside: its bytes, and what it does once installed where nothing else is."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from mnist.export.formats import FORMATS
from mnist.export.wheel import file_name, load_wheel, write_wheel
from mnist.learning.backend import quiet
from mnist_reader.preparation import digit_image
from tests.conftest import ABOUT, ROOT
from tests.digits import render

pytestmark = pytest.mark.slow
NAME = "mnist_reader"


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


def test_the_wheel_holds_the_package_as_it_is_and_its_record_names_each_file_with_its_hash(files):
    package = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in (ROOT / NAME).rglob("*.py")}
    assert {name: content for name, content in files.items() if name.endswith(".py")} == package
    record = f"{NAME}-{ABOUT.version}.dist-info/RECORD"
    rows = list(csv.reader(io.StringIO(files[record].decode())))
    expected = [
        [name, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("="), str(size)]
        for name, content in files.items()
        for size in [len(content)]
        if name != record
    ]
    assert sorted(rows) == sorted([*expected, [record, "", ""]])


def test_the_proof_asks_a_copy_of_the_wheel(wheel, source, probabilities, real_digits):
    images = real_digits[0][-50:]
    np.testing.assert_allclose(load_wheel(wheel, source)(images), probabilities(images), atol=1e-6)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of a new virtual environment that holds the wheel and sees the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", programs / "python"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    own = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder)
    Path(own.strip(), "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def run(program, *arguments, folder):
    """What a program of the virtual environment prints, run in another folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


LOOK = """
import base64, hashlib, json, sys
from importlib.metadata import distribution
from mnist_reader import Reader
Reader()
def right(file):
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_binary()).digest())
    return digest.decode().rstrip("=") == file.hash.value
reader = distribution("mnist-reader")
print(json.dumps({
    "wrong": [str(file) for file in reader.files if file.hash and not right(file)],
    "version": reader.version,
    "requires": [name.partition(">")[0] for name in reader.requires],
    "extras": reader.metadata.get_all("Provides-Extra"),
    "prefix": sys.modules["mnist_reader"].__file__.startswith(sys.prefix),
    "modules": list({name.partition(".")[0] for name in sys.modules}),
}))
"""


def test_pip_installs_it_whole_and_it_imports_what_it_requires_alone(installed, tmp_path):
    there = json.loads(run(installed / "python", "-c", LOOK, folder=tmp_path))
    assert (there["wrong"], there["version"], there["prefix"]) == ([], ABOUT.version, True)
    assert there["requires"] == ["numpy", "onnxruntime", "pillow", 'pillow-heif; extra == "heif"']
    assert there["extras"] == ["heif"]
    modules = set(there["modules"])
    assert {"numpy", "onnxruntime", "PIL", "mnist_reader"} <= modules
    ours = {path.stem for path in ROOT.iterdir() if path.is_dir()} - {"mnist_reader"}
    assert not modules & (ours | {"tensorflow", "keras", "polars", "pydantic", "scipy", "sklearn", "h5py"})


ASK = """
import sys, numpy
from mnist_reader import Reader
reader = Reader()
print(reader.read(sys.argv[3]).text, reader.about.version, *reader.about.classes)
pixels = numpy.load(sys.argv[1])[..., None]
{usage}
numpy.save(sys.argv[2], found)
"""


def test_the_installed_reader_answers_as_onnx_runtime_does_here(installed, probabilities, real_digits, tmp_path):
    images = real_digits[0][-200:]
    np.save(tmp_path / "images.npy", images)
    render(load_digits().images[3]).save(tmp_path / "digit.png")
    *lines, last = FORMATS["wheel"].usage.splitlines()  # as in the model card
    program = ASK.format(usage="\n".join([*lines, f"found = {last}"]))
    printed = run(installed / "python", "-c", program, "images.npy", "answers.npy", "digit.png", folder=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), probabilities(images), atol=1e-6)
    expected = probabilities(digit_image(tmp_path / "digit.png")[None]).argmax()
    assert printed.split() == [str(expected), ABOUT.version, *ABOUT.classes]


def test_the_installed_command_reads_a_picture(installed, probabilities, tmp_path):
    pictures = [render(image) for image in load_digits().images[:7]]
    confidences = [probabilities(digit_image(picture)[None]).max() for picture in pictures]
    pictures[int(np.argmax(confidences))].save(tmp_path / "digit.png")  # what is unsure is read in other ways too
    (row,) = json.loads(run(installed / "mnist-read", "--json", "digit.png", folder=tmp_path))
    (expected,) = probabilities(digit_image(tmp_path / "digit.png")[None])
    assert (row["file"], row["text"]) == ("digit.png", str(expected.argmax()))
    assert row["confidence"] == pytest.approx(expected.max(), abs=1e-5)
