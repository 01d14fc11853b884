"""docs/languages.md: its commands and examples, run as a reader would run them, answer as Python does."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from sklearn.datasets import load_digits

from mnist_reader.about import About
from mnist_reader.preparation import digit_image
from tests.clones import ROOT
from tests.digits import render
from tests.linear import describe, ridge_regression, write_model
from tests.tools import find, unavailable

pytestmark = pytest.mark.slow
PAGE = (ROOT / "docs/languages.md").read_text(encoding="utf-8")
CLASSES = ("0", "één", '"2"', "3\\", "[4, ]", "5", "6", "7", "8", "9")  # what JSON has to escape, and what it must not
ABOUT = About("Digits", "none", CLASSES, "ink", 0.6, "1.0.0")
INT8 = "MNIST_keras_CNN_int8.tflite"
HEADERS = Path("/usr/include/onnxruntime")  # in the page
NPM = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
ELL = np.zeros((28, 28), np.uint8)  # the prepared L that the page describes
ELL[3:23, 11:16] = ELL[18:23, 16:21] = 255


def commands(heading):
    """The lines of the first block of commands below this heading, or text, of the page."""
    return re.search(r"```bash\n(.*?)```", PAGE[PAGE.index(heading) :], re.DOTALL)[1].splitlines()


def run(lines, folder):
    """What these commands print, errors included."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
    done = subprocess.run(["bash", "-e", "-c", "\n".join(lines)], cwd=folder, env=os.environ | NPM, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_or_skip(lines, folder, what):
    """Run commands that need the network."""
    try:
        run(lines, folder)
    except AssertionError as error:
        unavailable(f"{what}: {error}")


@pytest.fixture(scope="module")
def place():
    """A folder with what the page names, the page's l.bin, a small model, and pictures as files of 784 bytes.

    `ask` is what Python's ONNX Runtime answers to images, `expected` what it answers to the pictures.
    """
    digits = load_digits()
    x = np.stack([digit_image(render(image)) for image in digits.images])
    weights = ridge_regression(x, digits.target) / 3  # softened so that some answers are unsure
    noise = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    images = np.concatenate([x[:20], x[:3] * (np.arange(28) < 14).astype(np.uint8), noise, noise[:1] * 0])
    with tempfile.TemporaryDirectory() as name:  # removed at once: what npm installs is large
        folder, unwanted = Path(name), shutil.ignore_patterns("node_modules", "*.onnx", "*.bin", "about.json")
        shutil.copytree(ROOT / "docs/languages", folder / "docs/languages", ignore=unwanted)
        model = folder / "models/export/MNIST_keras_CNN.onnx"
        model.parent.mkdir(parents=True)
        write_model(model, weights)
        describe(model, ABOUT.properties)
        model.with_name("about.json").write_text(json.dumps(ABOUT._asdict()))
        files = [folder / f"{number}.bin" for number in range(len(images))]
        for path, image in zip([*files, folder / "short.bin"], [*images, images.ravel()[:783]], strict=True):
            path.write_bytes(image.tobytes())
        find("node")
        run(commands("**To check"), folder)
        session = onnxruntime.InferenceSession(model)

        def ask(images):
            return session.run(None, {"image": images[..., None] / np.float32(255)})[0]

        yield SimpleNamespace(folder=folder, files=files, short=folder / "short.bin", ask=ask, expected=ask(images))


def assert_said(lines, rows):
    """Each printed line gives the class, the percentage to its one digit, and `unsure` where the threshold says so."""
    for line, row in zip(lines, rows, strict=True):
        name, percent, unsure = re.fullmatch(r"(.+) (\d+\.\d) %( unsure)?\n?", line).groups()
        assert name == CLASSES[row.argmax()]
        assert abs(float(percent) - 100 * row.max()) < 0.0501
        assert bool(unsure) == bool(row.max() < ABOUT.threshold)


def assert_reads(place, here, command, sets, error):
    """The page's command in the folder `here`, on its own picture, on sets of all others, and on a file cut short."""

    def said(*paths):
        return run([here, command.replace("../l.bin", " ".join(map(str, paths))) + " || true"], place.folder)

    assert_said([said("../l.bin")], place.ask(ELL[None]))
    assert_said([line for paths in sets for line in said(*paths).splitlines()], place.expected)
    assert said(place.short) == f"error: {place.short}: {error}\n"


def test_the_pictures_are_read_both_surely_and_unsurely(place):
    assert 3 <= (place.expected.max(axis=1) < ABOUT.threshold).sum() <= len(place.expected) - 3
    assert set(place.expected.argmax(axis=1)) == set(range(10))


def test_example_of_the_preparation_is_what_python_prepares(place):
    picture = np.full((60, 60), 200, np.uint8)  # as the page describes it
    picture[10:50, 20:30] = picture[40:50, 20:40] = 50
    np.testing.assert_array_equal(digit_image(picture), ELL)
    assert (place.folder / "docs/languages/l.bin").read_bytes() == ELL.tobytes()


def in_javascript(pictures, folder):
    """What browser/prepare.mjs makes of pictures `uint8` `(rows, columns, 4)`: 784 numbers each, or None."""
    script = (
        "import { prepare } from './prepare.mjs'; import { readFileSync } from 'node:fs';"
        "const data = readFileSync(process.argv[1]); let at = 0;"
        "const prepared = JSON.parse(readFileSync(0)).map(([height, width]) =>"
        " prepare({ width, height, data: data.subarray(at, (at += 4 * height * width)) }));"
        "console.log(JSON.stringify(prepared.map((pixels) => pixels && [...pixels])));"
    )
    file, sizes = folder / "pictures", json.dumps([picture.shape[:2] for picture in pictures])
    file.write_bytes(b"".join(picture.tobytes() for picture in pictures))
    command = [find("node"), "--input-type=module", "-e", script, str(file)]
    return json.loads(subprocess.check_output(command, cwd=ROOT / "docs/languages/browser", input=sizes, text=True))


def opaque(levels):
    return np.dstack([levels] * 3 + [np.full_like(levels, 255)])


def test_javascript_prepares_as_python_does(tmp_path):
    dark = [np.asarray(render(image)) for image in load_digits().images[:80]]
    light = [255 - picture for picture in dark[:40]]
    wide = [np.pad(picture, ((3, 40), (50, 9)), mode="edge") for picture in dark[:40]]
    specks = [picture.copy() for picture in wide]
    for picture in specks:
        picture[-6:-4, 5:7] = 0
    pale = [np.asarray(Image.fromarray(picture).resize((150, 150))) // 2 + 90 for picture in dark[:40]]
    small = [np.asarray(Image.fromarray(picture).resize((16, 16))) for picture in dark[:40]]  # enlarged, bilinearly
    large = [np.asarray(Image.fromarray(picture).resize((437, 353))) for picture in dark[:20]]  # reduced in blocks
    far = [np.pad(picture, ((300, 900), (700, 200)), mode="edge") for picture in dark[:20]]  # and searched for again
    y, x = np.mgrid[-1:1:150j, -1:1:150j]
    lit = [0.7 + 0.25 * x - 0.1 * y, 0.9 - 0.25 * (x * x + y * y)]  # from one side, and a vignette
    uneven = [(picture * light).astype(np.uint8) for picture in pale for light in lit]
    cross = np.full((40, 40), 200, np.uint8)  # its ends fill more than half of each edge
    cross[9:31] = cross[:, 9:31] = 50
    grey = [*dark, *light, *wide, *specks, *pale, *small, *large, *far, *uneven, cross]
    pictures = [opaque(levels) for levels in grey]
    for picture, colour in zip(dark[:40], np.random.default_rng(0).integers(0, 256, (40, 3), np.uint8), strict=True):
        ink = np.dstack([np.full((64, 64, 3), colour), 255 - picture])  # on transparent paper,
        stamp = np.where(picture[..., None] < 128, [255, 250, 250, 255], [*colour // 2, 255]).astype(np.uint8)
        stamp[50:, 50:] = 0  # on coloured paper without a corner
        pictures += [ink, stamp]
    expected = np.stack([digit_image(picture) for picture in pictures]).reshape(len(pictures), 784).astype(int)
    assert np.abs(np.array(in_javascript(pictures, tmp_path)) - expected).max() <= 1  # level of 255


def test_javascript_finds_no_ink_on_an_empty_picture(tmp_path):
    blank = [opaque(np.full((30, 40), 200, np.uint8)), np.zeros((28, 28, 4), np.uint8)]
    assert in_javascript(blank, tmp_path) == [None, None]


def test_node_answers_as_python_does(place):
    find("npm")
    *before, last = commands("### Node")
    run_or_skip(before, place.folder, "npm install")
    assert_reads(place, before[0], last, [place.files], "expected 784 bytes, found 783")


@pytest.fixture(scope="module")
def headers(place):
    """The folder of onnxruntime_c_api.h: installed, or taken out of Debian 13's package without installing that."""
    if (HEADERS / "onnxruntime_c_api.h").exists():
        return HEADERS
    find("apt-get"), find("dpkg-deb")
    mirrors = re.findall(r"^'(\S+/debian/)dists/", run(["apt-get update --print-uris"], place.folder), re.MULTILINE)
    if not mirrors:
        unavailable("needs onnxruntime_c_api.h, or a mirror of Debian among apt's sources")
    private, keys = place.folder / "apt", "/usr/share/keyrings/debian-archive-keyring.gpg"
    (private / "lists/partial").mkdir(parents=True)
    (private / "sources").write_text(f"deb [signed-by={keys}] {mirrors[0]} trixie main\n")
    places = {"Etc::SourceList": private / "sources", "Etc::SourceParts": "/dev/null"}
    places |= {"State::Lists": private / "lists", "Cache": private}
    apt = "apt-get -qq -o APT::Sandbox::User=root " + " ".join(f"-o Dir::{name}={at}" for name, at in places.items())
    fetch = [f"{apt} update", f"{apt} download libonnxruntime-dev", "dpkg-deb -x *.deb ."]
    run_or_skip(fetch, private, "Debian's libonnxruntime-dev")
    return private / HEADERS.relative_to("/")


def test_c_answers_as_python_does(place, headers):
    find("gcc")
    here, *rest = [line for line in commands("### C\n") if not line.startswith("apt-get")]
    *build, last = [line for line in rest if not line.startswith(("pip", "unzip"))]
    (library,) = (Path(find_spec("onnxruntime").origin).parent / "capi").glob("libonnxruntime.so.*")
    shutil.copy(library, place.folder / "docs/languages/c")
    strict = "gcc -std=c11 -Wall -Wextra -Wpedantic -Werror "
    run([here, *(line.replace(str(HEADERS), str(headers)).replace("gcc ", strict) for line in build)], place.folder)
    assert_reads(place, here, last, zip(place.files), "expected a file of 784 bytes")


def released(name):
    """A file of the released export."""
    listings = [json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("released/files/md5/*/*.dir")]
    (digest,) = {row["md5"] for rows in listings for row in rows if row["relpath"] == name}
    return ROOT / f"released/files/md5/{digest[:2]}/{digest[2:]}"


def test_onnx_file_has_the_opset_and_version_that_the_page_names():
    model = onnx.load_model(released("MNIST_keras_CNN.onnx"), format="protobuf")
    (opset,) = [entry.version for entry in model.opset_import if not entry.domain]
    assert f"opset {opset} and IR version {model.ir_version}." in " ".join(PAGE.split())


def installed(line, folder):
    """Run a line of `pip install` so that what it installs lies in a folder; the lines that make Python find it."""
    run_or_skip([f"export PIP_TARGET={folder}/packages", f"{line} --quiet"], folder, "pip install")
    return [f"export PYTHONPATH={folder}/packages"]


def some_digits(number):
    """Digits of scikit-learn, `uint8` `(number, 28, 28)`."""
    return np.stack([digit_image(render(image)) for image in load_digits().images[:number]])


def test_opencv_answers_as_onnx_runtime_does(tmp_path):
    (line,) = re.findall(r"`(pip install opencv\S+)`", PAGE)
    (block,) = re.findall(r"```python\n(import cv2.*?)```", PAGE, re.DOTALL)
    model = tmp_path / "models/export/MNIST_keras_CNN.onnx"
    model.parent.mkdir(parents=True)
    shutil.copy(released(model.name), model)
    images = some_digits(20)
    np.save(tmp_path / "images.npy", images)
    loop = [f"    {text}" for text in [*block.splitlines(), "print(*probabilities)"]]
    (tmp_path / "read.py").write_text("\n".join(["import numpy", 'for pixels in numpy.load("images.npy"):', *loop]))
    said = run([*installed(line, tmp_path), "python read.py"], tmp_path)
    (expected,) = onnxruntime.InferenceSession(model).run(None, {"image": images[..., None] / np.float32(255)})
    np.testing.assert_allclose(np.loadtxt(said.splitlines()), expected, atol=1e-5)


@pytest.fixture(scope="module")
def micro(place):
    """The page's commands for microcontrollers, the package installed and the released file in its place: what they say
    to pictures, run with a script in the place of read.py."""
    here, install, last = commands("### Microcontrollers")
    shutil.copy(released(INT8), place.folder / "models/export" / INT8)
    before = [*installed(install, place.folder), here]

    def said(pictures, script="read.py"):
        line = last.replace("read.py", str(script)).replace("../l.bin", " ".join(map(str, pictures)))
        return run([*before, f"{line} || true"], place.folder)

    return said


def litert(images):
    """What LiteRT answers with the released eight-bit file to `uint8` `(n, 28, 28)`: probabilities."""
    interpreter = Interpreter(str(released(INT8)))
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], (*images.shape, 1))
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], images[..., None])
    interpreter.invoke()
    return interpreter.get_tensor(answered["index"]) / 256


def test_microcontroller_answers_as_litert_does(place, micro, tmp_path):
    images = some_digits(300)
    files = [tmp_path / f"{number}.bin" for number in range(300)]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(image.tobytes())
    for line, row in zip(micro(files).splitlines(), litert(images), strict=True):
        name, percent = re.match(r"(.+) (\d+\.\d) %", line).groups()
        assert abs(float(percent) - 100 * row.max()) < 3  # the kernels differ by up to 7 of 256,
        assert row[CLASSES.index(name)] > row.max() - 0.03  # which decides between two classes that are as likely
    assert micro([place.short]) == f"error: {place.short}: expected 784 bytes, found 783\n"


def test_microcontroller_needs_the_memory_that_the_page_names(place, micro, tmp_path):
    assert f"takes {released(INT8).stat().st_size / 1024:.0f} KiB" in " ".join(PAGE.split())
    arena = int(re.search(r"needs ([\d,]+) bytes", PAGE)[1].replace(",", ""))
    script = (place.folder / "docs/languages/micro/read.py").read_text()
    assert f"ARENA = {arena:_}" in script
    (tmp_path / "less.py").write_text(script.replace(f"{arena:_}", f"{arena - 16}"))
    assert "TFLM failed to allocate tensors" in micro(place.files, tmp_path / "less.py")
