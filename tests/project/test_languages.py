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
from types import SimpleNamespace
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
from mnist_reader.preparation import digit_image
from tests.clones import ROOT
from tests.digits import render
from tests.linear import describe, ridge_regression, write_model
from tests.tools import chromium, find, unavailable

pytestmark = pytest.mark.slow
PAGE = (ROOT / "docs/languages.md").read_text(encoding="utf-8")
CLASSES = ("0", "één", '"2"', "3\\", "[4, ]", "5", "6", "7", "8", "9")  # what JSON has to escape, and what it must not
ABOUT = About("Digits", "none", CLASSES, "ink", 0.6, "1.0.0")
PATIENCE = 60  # seconds until a wait is given up
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


def in_javascript(pictures):
    """What browser/prepare.mjs makes of pictures `uint8` `(rows, columns)`: 784 numbers each, or None."""
    script = (
        "import { prepare } from './prepare.mjs'; import { readFileSync } from 'node:fs';"
        "const prepared = JSON.parse(readFileSync(0)).map(prepare);"
        "console.log(JSON.stringify(prepared.map((pixels) => pixels && [...pixels])));"
    )
    command, text = [find("node"), "--input-type=module", "-e", script], json.dumps([p.tolist() for p in pictures])
    browser = ROOT / "docs/languages/browser"
    return json.loads(subprocess.check_output(command, cwd=browser, input=text, text=True))


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
    pictures = [*dark, *light, *wide, *specks, *pale, cross]
    expected = np.stack([digit_image(picture) for picture in pictures]).astype(int)
    off = np.abs(np.array(in_javascript(pictures)).reshape(expected.shape) - expected)
    # Levels of 255: where a centre lies on the border of two new pixels, rounding decides which of them gets it.
    assert off.max() <= 25 and off.mean() <= 0.1


def test_javascript_finds_no_ink_on_an_empty_picture():
    assert in_javascript([np.full((30, 40), 200, np.uint8), np.zeros((28, 28), np.uint8)]) == [None, None]


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


@pytest.fixture
def address(place):
    """The page of the example, installed and served as docs/languages.md says, on a free port."""
    find("npm")
    *before, last = commands("### Browser")
    run_or_skip(before, place.folder, "npm install")
    command = [sys.executable, "-u", *last.split()[1:], "0"]
    here = place.folder / before[0].removeprefix("cd ")
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


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path, "--window-size=600,700") as driver:
        yield driver


def test_browser_answers_as_python_does_and_asks_no_other_host(place, browser, address):
    wait = WebDriverWait(browser, PATIENCE)
    browser.get(address)
    output, chooser = (browser.find_element(By.TAG_NAME, name) for name in ("output", "input"))
    wait.until(lambda _: output.text == "ready")

    def answer(act, *arguments):
        browser.execute_script("document.querySelector('output').textContent = ''")
        act(*arguments)
        return wait.until(lambda _: output.text)

    assert_said([answer(chooser.send_keys, str(file)) for file in place.files], place.expected)
    assert answer(chooser.send_keys, str(place.short)) == "error: expected 784 bytes, found 783"

    for points in ([(0, -100), (0, 0), (10, 100)], [(-60, -90), (60, -90), (0, 0), (-20, 100)]):
        browser.find_element(By.ID, "clear").click()
        line = answer(stroke, browser, points)
        data = browser.execute_script(
            "return [...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 160, 160).data]"
        )
        picture = np.array(data, np.uint8).reshape(160, 160, 4)[..., :3]
        assert picture.min() == 0 and picture.mean() < 254  # something was drawn
        assert_said([line], place.ask(digit_image(picture)[None]))

    asked = requests(browser)
    assert {url.hostname for url in asked} == {"127.0.0.1"}
    loaded = {Path(url.path).name for url in asked if "node_modules" in url.path}
    assert loaded == set(re.findall(r"`(ort[\w.-]+\.(?:mjs|wasm))`", PAGE))
