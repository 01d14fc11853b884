"""python -m apps.draw in a real browser: draw, read, clear, and ask nobody else."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from apps.draw import PNG, answer, bar, frame
from mnist.inference.classifier import Classifier
from tests.apps.test_predict import write_model
from tests.clones import ROOT

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=940,700",
]
pytestmark = pytest.mark.slow
PATIENCE = 60  # seconds until a wait is given up


def find(*names):
    """The first of these programs that is there; without any the test is skipped, but fails in CI."""
    if path := next(filter(None, map(shutil.which, names)), None):
        return path
    if os.environ.get("CI"):
        pytest.fail(f"none of {', '.join(names)} is installed")
    pytest.skip(f"needs one of {', '.join(names)}")


def bar_or_ring():
    """Weights `(784, 10)` that call ink in the middle columns a 1, ink on an oval about them a 0, and nothing else."""
    y, x = np.mgrid[:28, :28] - 14
    weights = np.full((28, 28, 10), -1, np.float32)
    weights[..., 1] = np.abs(x) <= 2
    weights[..., 0] = np.abs(np.hypot(x * 10 / 7, y) - 9) <= 2
    return weights.reshape(784, 10)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("draw") / "linear.onnx"
    write_model(path, bar_or_ring())
    return path


@pytest.fixture(scope="module")
def address(model):
    """The page, served by the real program on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "apps.draw", "--port", str(port), "--model", str(model)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"draw at http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = find("chromium", "chromium-browser", "google-chrome")
    for flag in [*FLAGS, f"--user-data-dir={tmp_path}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(find("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def stroke(browser, points):
    """Draw with the mouse through points relative to the pad's middle."""
    pad = browser.find_element(By.CSS_SELECTOR, "#draw canvas")
    actions = ActionChains(browser, duration=20).move_to_element_with_offset(pad, *points[0]).click_and_hold()
    for point in points[1:]:
        actions.move_to_element_with_offset(pad, *point)
    actions.release().perform()


def shown(browser):
    """The digit that the page answers, or nothing."""
    return browser.execute_script('return document.querySelector("#draw .digit").textContent')


def hosts(browser):
    """Every host that the page has asked for anything, since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [urlsplit(one["request"]["url"]) for one in requests]
    return {url.hostname or "" for url in urls if url.scheme in ("http", "https", "ws", "wss")}


def test_stroke_is_answered_cleared_and_known_to_no_other_host(browser, address):
    wait = WebDriverWait(browser, PATIENCE)
    browser.get(address)
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, "#draw canvas"))
    assert shown(browser) == ""

    stroke(browser, [(0, -120), (0, -40), (0, 40), (0, 120)])
    wait.until(lambda page: shown(page) == "1")
    shares = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#draw .share")]
    assert len(shares) == 10
    assert max(shares, key=lambda text: float(text.rstrip("%"))) == shares[1]

    browser.find_element(By.CSS_SELECTOR, "#draw button").click()
    wait.until(lambda page: shown(page) == "")

    circle = np.linspace(0, 2 * np.pi, 25)
    points = np.stack([70 * np.sin(circle), -110 * np.cos(circle)], axis=1)
    stroke(browser, [(int(x), int(y)) for x, y in points])
    wait.until(lambda page: shown(page) == "0")
    time.sleep(1)  # for whatever the page would still ask for
    assert hosts(browser) == {"127.0.0.1"}


def test_page_loads_nothing_from_another_host(address):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as page:
        html = page.read().decode()
    outside = [
        tag for tag in html.split("<") if tag.startswith(("link", "script src", "img", "iframe")) and "//" in tag
    ]
    assert outside == []


def test_port_in_use_is_one_line(address, model):
    port = address.rpartition(":")[2].rstrip("/")
    command = [sys.executable, "-m", "apps.draw", "--port", port, "--model", str(model)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    line = f"error: expected a free port, found {port}, which is in use or not allowed; choose one with --port\n"
    assert (done.returncode, done.stderr) == (1, line)


@pytest.mark.parametrize("drawing", ["", PNG, "no base64 at all", PNG + base64.b64encode(b"no picture").decode()])
def test_what_is_no_drawing_shows_the_empty_frame(model, drawing):
    assert answer(drawing, Classifier(model)) == frame(None, None)


def test_bar_is_as_long_as_its_share():
    assert 'style="width: 25.0%"' in bar(3, 0.25, best=False)
    assert "best" in bar(3, 0.9, best=True)
