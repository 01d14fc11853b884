"""docs/languages.md: its commands and examples, run as a reader would run them, answer as Python does."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from sklearn.datasets import load_digits

from mnist_reader.about import About
from mnist_reader.ink import EVEN, find_ink
from mnist_reader.preparation import prepare
from tests.apps.test_predict import fit
from tests.clones import ROOT
from tests.digits import render
from tests.linear import describe, write_model
from tests.tools import chromium, find, unavailable

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "languages.md"
CLASSES = ("0", "één", '"2"', "3\\", "[4, ]", "5", "6", "7", "8", "9")  # what JSON has to escape, and what it must not
ABOUT = About("Digits", "none", CLASSES, "ink", 0.6, "1.0.0")
PATIENCE = 60  # seconds until a wait is given up
HEADERS = Path("/usr/include/onnxruntime")  # in the page
NPM = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}


def commands(heading):
    """The lines of the first block of commands below this heading, or text, of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.search(r"```bash\n(.*?)```", text[text.index(heading) :], re.DOTALL)[1].splitlines()


def run(lines, folder):
    """What these commands print."""
    command = ["bash", "-e", "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=folder, env=os.environ | NPM, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(lines, folder):
    """Run the page's commands as far as `npm install`."""
    find("npm")
    try:
        run(lines, folder)
    except AssertionError as error:
        unavailable(f"npm install: {error}")


@pytest.fixture(scope="module")
def folder():
    """A copy of what the page names, with a small model, whose files are gone afterwards: they are large."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(
            ROOT / "docs" / "languages",
            folder / "docs" / "languages",
            ignore=shutil.ignore_patterns("node_modules", "*.onnx", "*.bin", "about.json", "package-lock.json"),
        )
        export = folder / "models" / "export"
        export.mkdir(parents=True)
        write_model(export / "MNIST_keras_CNN.onnx", fit() / 3)
        describe(export / "MNIST_keras_CNN.onnx", ABOUT.properties)
        (export / "about.json").write_text(json.dumps(ABOUT._asdict()))
        yield folder


@pytest.fixture(scope="module")
def probabilities(folder):
    """A function from images `uint8` `(n, 28, 28)` to what Python's ONNX Runtime answers, `(n, 10)`."""
    session = onnxruntime.InferenceSession(folder / "models" / "export" / "MNIST_keras_CNN.onnx")
    return lambda images: session.run(None, {"image": images[..., None] / np.float32(255)})[0]


@pytest.fixture(scope="module")
def images():
    """Digits, half of a digit, noise and nothing: `uint8` `(n, 28, 28)`."""
    digits = np.stack([prepare(render(image)) for image in load_digits().images[:20]])
    halves = digits[:3] * (np.arange(28) < 14).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    return np.concatenate([digits, halves, noise, np.zeros((1, 28, 28), np.uint8)])


@pytest.fixture(scope="module")
def files(folder, images):
    """The images as files of 784 bytes."""
    paths = [folder / f"{number}.bin" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(image.tobytes())
    return paths


@pytest.fixture(scope="module")
def short(folder):
    """A file that lacks a byte."""
    path = folder / "short.bin"
    path.write_bytes(bytes(783))
    return path


def assert_says(line, row):
    """The printed line gives the class, the percentage to its one digit, and `unsure` where the threshold says so."""
    best = int(row.argmax())
    name, percent, unsure = re.fullmatch(r"(.+) (\d+\.\d) %( unsure)?\n?", line).groups()
    assert name == CLASSES[best]
    assert abs(float(percent) - 100 * row[best]) < 0.0501
    assert bool(unsure) == bool(row[best] < ABOUT.threshold)


def assert_all_said(lines, rows):
    for line, row in zip(lines, rows, strict=True):
        assert_says(line, row)
    unsure = [line for line in lines if line.endswith("unsure")]
    assert 3 <= len(unsure) <= len(lines) - 3  # of both kinds, or nothing is tested


def ell():
    """The picture that the page describes."""
    picture = np.full((60, 60), 200, np.uint8)
    picture[10:50, 20:30] = picture[40:50, 20:40] = 50
    return picture


def ell_prepared():
    """What the page says it becomes."""
    image = np.zeros((28, 28), np.uint8)
    image[3:23, 11:16] = image[18:23, 16:21] = 255
    return image


@pytest.fixture(scope="module")
def ell_file(folder):
    """The file that the page's line writes."""
    find("node")
    run(commands("**To check"), folder)
    return folder / "docs" / "languages" / "l.bin"


def test_example_of_the_preparation_is_what_python_prepares(ell_file):
    np.testing.assert_array_equal(prepare(ell()), ell_prepared())
    assert ell_file.read_bytes() == ell_prepared().tobytes()


def in_javascript(pictures):
    """What browser/prepare.mjs makes of pictures `uint8` `(rows, columns)`: 784 numbers each, or None."""
    script = (
        "import { prepare } from './prepare.mjs'; import { readFileSync } from 'node:fs';"
        "const prepared = JSON.parse(readFileSync(0)).map(prepare);"
        "console.log(JSON.stringify(prepared.map((pixels) => pixels && [...pixels])));"
    )
    command = [find("node"), "--input-type=module", "-e", script]
    browser = ROOT / "docs" / "languages" / "browser"
    text = json.dumps([picture.tolist() for picture in pictures])
    return json.loads(
        subprocess.run(command, cwd=browser, input=text, capture_output=True, text=True, check=True).stdout
    )


def test_javascript_prepares_as_python_does():
    dark = [np.asarray(render(image)) for image in load_digits().images[:120]]
    light = [255 - picture for picture in dark[:40]]
    wide = [np.pad(picture, ((3, 40), (50, 9)), mode="edge") for picture in dark[:40]]
    specks = [picture.copy() for picture in wide]
    for picture in specks:
        picture[-6:-4, 5:7] = 0
    pale = [np.asarray(Image.fromarray(picture).resize((150, 150))) // 2 + 90 for picture in dark[:40]]
    cross = np.full((40, 40), 200, np.uint8)  # its ends fill more than half of each edge
    cross[9:31] = cross[:, 9:31] = 50
    even = [
        picture for picture in [*dark, *light, *wide, *specks, *pale, cross] if find_ink(picture).separability >= EVEN
    ]
    assert len(even) >= 80
    expected = np.stack([prepare(picture) for picture in even]).astype(int)
    off = np.abs(np.array(in_javascript(even)).reshape(expected.shape) - expected)
    # Levels of 255: where a centre lies on the border of two new pixels, rounding decides which of them gets it.
    assert off.max() <= 25 and off.mean() <= 0.1


def test_javascript_finds_no_ink_on_an_empty_picture():
    assert in_javascript([np.full((30, 40), 200, np.uint8), np.zeros((28, 28), np.uint8)]) == [None, None]


def test_node_answers_as_python_does(folder, ell_file, images, files, short, probabilities):
    *before, last = commands("### Node")
    install(before, folder)
    assert_says(run([before[0], last], folder), probabilities(ell_prepared()[None])[0])
    lines = run([before[0], last.replace("../l.bin", " ".join(map(str, files)))], folder).splitlines()
    assert_all_said(lines, probabilities(images))
    assert run([before[0], last.replace("../l.bin", str(short)) + " 2>&1 || true"], folder) == (
        f"error: {short}: expected 784 bytes, found 783\n"
    )


@pytest.fixture(scope="module")
def headers(folder):
    """The folder of onnxruntime_c_api.h: installed, or taken out of Debian 13's package without installing that."""
    if (HEADERS / "onnxruntime_c_api.h").exists():
        return HEADERS
    find("apt-get"), find("dpkg-deb")
    addresses = run(["apt-get update --print-uris"], folder)
    mirrors = re.findall(r"^'(\S+/debian/)dists/", addresses, re.MULTILINE)
    if not mirrors:
        unavailable("needs onnxruntime_c_api.h, or a mirror of Debian among apt's sources")
    private = folder / "apt"
    (private / "lists" / "partial").mkdir(parents=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (private / "sources").write_text(f"deb [signed-by={keys}] {mirrors[0]} trixie main\n")
    settings = {
        "Dir::Etc::SourceList": private / "sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": private / "lists",
        "Dir::Cache": private,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    apt = "apt-get -qq " + " ".join(f"-o {name}={value}" for name, value in settings.items())
    try:
        run([f"{apt} update", f"{apt} download libonnxruntime-dev", "dpkg-deb -x *.deb ."], private)
    except AssertionError as error:
        unavailable(f"Debian's libonnxruntime-dev: {error}")
    return private / HEADERS.relative_to("/")


def test_c_answers_as_python_does(folder, ell_file, headers, images, files, short, probabilities):
    find("gcc")
    here, *rest = [line for line in commands("### C\n") if not line.startswith("apt-get")]
    *build, last = [line for line in rest if not line.startswith(("pip", "unzip"))]
    (library,) = (Path(find_spec("onnxruntime").origin).parent / "capi").glob("libonnxruntime.so.*")
    shutil.copy(library, folder / "docs" / "languages" / "c")
    strict = "gcc -std=c11 -Wall -Wextra -Wpedantic -Werror "
    run([here, *(line.replace(str(HEADERS), str(headers)).replace("gcc ", strict) for line in build)], folder)
    assert_says(run([here, last], folder), probabilities(ell_prepared()[None])[0])
    lines = run([here, *(last.replace("../l.bin", str(file)) for file in files)], folder).splitlines()
    assert_all_said(lines, probabilities(images))
    assert run([here, last.replace("../l.bin", str(short)) + " 2>&1 || true"], folder) == (
        f"error: {short}: expected a file of 784 bytes\n"
    )


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path, "--window-size=600,700") as driver:
        yield driver


@pytest.fixture
def address(folder):
    """The page of the example, installed and served as docs/languages.md says, on a free port."""
    *before, last = commands("### Browser")
    install(before, folder)
    command = [sys.executable, "-u", *last.split()[1:], "0"]
    here = folder / before[0].removeprefix("cd ")
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def stroke(browser, points):
    """Draw with the mouse through points relative to the canvas' middle."""
    canvas = browser.find_element(By.TAG_NAME, "canvas")
    actions = ActionChains(browser, duration=20).move_to_element_with_offset(canvas, *points[0]).click_and_hold()
    for point in points[1:]:
        actions.move_to_element_with_offset(canvas, *point)
    actions.release().perform()


def requests(browser):
    """The addresses that the page has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [urlsplit(one["request"]["url"]) for one in sent]
    return [url for url in urls if url.scheme in ("http", "https", "ws", "wss")]


def test_browser_answers_as_python_does_and_asks_no_other_host(browser, address, images, files, short, probabilities):
    wait = WebDriverWait(browser, PATIENCE)
    browser.get(address)
    output, chooser = (browser.find_element(By.TAG_NAME, name) for name in ("output", "input"))
    wait.until(lambda _: output.text == "ready")

    def answer(act):
        browser.execute_script("document.querySelector('output').textContent = ''")
        act()
        return wait.until(lambda _: output.text)

    lines = [answer(lambda file=file: chooser.send_keys(str(file))) for file in files]
    assert_all_said(lines, probabilities(images))
    assert answer(lambda: chooser.send_keys(str(short))) == "error: expected 784 bytes, found 783"

    for points in ([(0, -100), (0, 0), (10, 100)], [(-60, -90), (60, -90), (0, 0), (-20, 100)]):
        browser.find_element(By.ID, "clear").click()
        line = answer(lambda points=points: stroke(browser, points))
        data = browser.execute_script(
            "return [...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 160, 160).data]"
        )
        picture = np.array(data, np.uint8).reshape(160, 160, 4)[..., :3]
        assert picture.min() == 0 and picture.mean() < 254  # something was drawn
        assert_says(line, probabilities(prepare(picture)[None])[0])

    asked = requests(browser)
    assert {url.hostname for url in asked} == {"127.0.0.1"}
    loaded = {Path(url.path).name for url in asked if "node_modules" in url.path}
    named = set(re.findall(r"`(ort[\w.-]+\.(?:mjs|wasm))`", PAGE.read_text(encoding="utf-8")))
    assert loaded == named
