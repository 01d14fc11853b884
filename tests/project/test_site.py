"""The page that GitHub Pages publishes, as its workflow builds it: in a real browser, beside the reader in Python."""

import base64
import functools
import http.server
import io
import shutil
import threading

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw
from selenium.webdriver.common.keys import Keys
from sklearn.datasets import load_digits

from mnist_reader import Reader
from mnist_reader.preparation import digit_image
from tests.apps.test_page import BAR, DESKTOP, PORTRAIT, RING, STAR, Page
from tests.clones import ROOT
from tests.linear import bar_or_ring, write_model
from tests.project.test_languages import PAGE, commands, run_or_skip
from tests.tools import chromium, find

pytestmark = pytest.mark.slow
WORKFLOW = ".github/workflows/pages.yml"
EMPTY = "Nothing drawn yet"
FILES = {"index.html", "style.css", "page.mjs", "prepare.mjs", "read.mjs", "model.onnx"}
FILES |= {"ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"}


def build():
    """The workflow's step that builds the site."""
    steps = yaml.safe_load((ROOT / WORKFLOW).read_text(encoding="utf-8"))["jobs"]["publish"]["steps"]
    (step,) = [step for step in steps if "run" in step]
    return step


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the workflow publishes."""
    find("npm"), find("unzip")
    clone, folder = tmp_path_factory.mktemp("clone"), build()["working-directory"]
    (clone / "released").mkdir()
    for wheel in ROOT.glob("released/*.whl"):
        shutil.copy(wheel, clone / "released")
    unwanted = shutil.ignore_patterns("node_modules", "*.onnx", "ort*")
    shutil.copytree(ROOT / folder, clone / folder, ignore=unwanted)
    run_or_skip([build()["run"]], clone / folder, "npm install")
    return clone / folder


@pytest.fixture(scope="module")
def address(site):
    """The site below a path, as a project's page is."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site.parents[1])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/languages/browser/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser"), logs=("performance", "browser")) as driver:
        yield driver


@pytest.fixture
def page(browser, address):
    page = Page(browser, address)
    page.shows("–", EMPTY)
    return page


def pictures():
    """200 of scikit-learn's digits as PNG files, each of another size and in another place; whether each is opaque."""
    rng = np.random.default_rng(0)
    for number, image in enumerate(load_digits().images[:200]):
        kind, size = number % 5, int(rng.choice([24, 48, 96, 200, 400]))
        top, bottom, left, right = rng.integers(0, size * (4 if kind == 3 else 0.5), 4).tolist()
        digit = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
        ink = Image.new("L", (left + size + right, top + size + bottom))
        ink.paste(digit.resize((size, size), Image.Resampling.BICUBIC), (left, top))
        low, high = rng.integers(0, 90), rng.integers(160, 256)
        levels = low + np.asarray(ink) * ((high - low) / 255)
        levels = levels if kind == 1 else 255 - levels  # light on dark, or dark on light
        levels += rng.normal(0, 12, levels.shape) * (kind == 2)  # noisy
        picture = Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
        if kind == 4:
            picture = Image.new("RGB", ink.size, ["black", "white", "lightblue", "navy"][number // 5 % 4])
            picture.putalpha(ink)
        file = io.BytesIO()
        picture.save(file, "png")
        yield file.getvalue(), kind != 4


PUT = """const file = new File([Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0))], "picture.png");
const data = new DataTransfer();
data.items.add(file);
const name = arguments[1] === "DragEvent" ? "drop" : "paste";
document.body.dispatchEvent(new window[arguments[1]](name, { [arguments[2]]: data, bubbles: true }));"""
IN_THE_PAGE = """const [text, done] = arguments;
(async () => {
  const { decode, model, pixels } = await import("./page.mjs");
  const { prepare } = await import("./prepare.mjs");
  const file = new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
  const image = prepare(pixels(await decode(file)));
  done([(await (await model)(image)).label, [...image]]);
})().catch((error) => done([error.message, []]));"""


def test_200_pictures_are_prepared_as_in_python_and_read_as_the_reader_does_where_that_is_sure(page, site):
    reader, sure, differences = Reader(site / "model.onnx"), 0, {True: [], False: []}
    for number, (picture, opaque) in enumerate(pictures()):
        label, image = page.browser.execute_async_script(IN_THE_PAGE, base64.b64encode(picture).decode())
        assert len(image) == 784, label
        differences[opaque].append(np.abs(digit_image(picture).ravel() - np.array(image)))
        reading = reader.read(picture)
        sure += not reading.unsure
        # Where it is unsure, the reader takes the mean over slightly turned copies, which the page does not make.
        assert reading.unsure or reading.text == label, number
    assert sure >= 180
    opaque, transparent = (np.stack(differences[key]) for key in (True, False))
    assert opaque.max() <= 1  # level of 255
    # A canvas keeps colours multiplied by their opacity, as bytes: levels are 1 off, and rarely the digit's edge is.
    assert (transparent.max(axis=1) > 8).sum() <= 2 and transparent.mean() < 1


def shown(page):
    """The image that the page says the model sees."""
    script = "return [...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
    colours = np.array(page.script(script), np.uint8).reshape(28, 28, 4)
    assert (colours[..., :3] == colours[..., :1]).all() and (colours[..., 3] == 255).all()
    return colours[..., 0]


def drawn(page):
    """The pixels of the pad, `uint8` `(rows, columns, 4)`."""
    script = "return [...document.getElementById('pad').getContext('2d').getImageData(0, 0, 640, 640).data]"
    return np.array(page.script(script), np.uint8).reshape(640, 640, 4)


def test_the_workflow_builds_the_site_with_the_lines_of_docs_languages_md_and_it_is_small(site):
    assert [f"cd {build()['working-directory']}", *build()["run"].splitlines()[:-1]] == commands("### Browser")[:-1]
    files = {path.name: path for path in site.iterdir() if path.name[0] != "."}
    assert files.keys() == FILES
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files.values())  # GitHub Pages refuses others
    assert f"{sum(path.stat().st_size for path in files.values()) / 1e6:.1f} MB" in PAGE


def test_stroke_is_read_and_cleared_without_an_error_or_another_host(page):
    page.errors(), page.hosts()
    page.browser.refresh()
    page.shows("–", EMPTY)
    page.draw(BAR)
    page.shows("1", "% sure")
    page["clear"].click()
    page.shows("–", EMPTY)
    page.draw(RING)
    page.shows("0", "% sure")
    assert page.errors() == []
    assert page.hosts() == {"127.0.0.1"}


def test_page_may_ask_no_other_server(page):
    page.errors()
    script = "const [done] = arguments; fetch('http://localhost:1/').catch((error) => done(error.message))"
    assert page.browser.execute_async_script(script) == "Failed to fetch"
    assert any("Content Security Policy" in message for message in page.errors())


def test_page_shows_the_image_that_the_model_sees_and_how_sure_it_is(page, site):
    page.draw(BAR)
    page.shows("1", "% sure")
    reading = Reader(site / "model.onnx").read(drawn(page))
    assert page.text("sure") == f"{min(np.floor(1000 * reading.confidence) / 10, 99.9)} % sure"
    np.testing.assert_array_equal(shown(page), reading.digits[0].image)
    page["clear"].click()
    page.shows("–", EMPTY)
    assert not shown(page).any()


def test_what_is_no_digit_is_unsure(page):
    page.draw(STAR)
    page.wait.until(lambda _: page.text("sure").startswith("Unsure: "))


def test_keyboard_draws_and_reaches_everything_that_has_a_name(page):
    reached = []
    for _ in range(3):
        page.press(Keys.TAB)
        reached.append(page.script("return document.activeElement.id"))
        assert page.style(":focus", "outlineStyle") == "solid"
    assert reached == ["pad", "clear", "choose"]
    assert all(name for _, name in page.focusable())
    page["pad"].send_keys(Keys.SPACE)
    page.shows("–", "Pen down")
    page.press(*[Keys.ARROW_DOWN] * 16, Keys.SPACE)
    page.shows("1", "% sure")
    page.press(Keys.ESCAPE)
    page.shows("–", EMPTY)


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    """A file with a seven in a part of a large picture."""
    picture, path = Image.new("RGB", (1200, 700), "beige"), tmp_path_factory.mktemp("seven") / "seven.png"
    ImageDraw.Draw(picture).line([900, 300, 990, 300, 930, 440], "navy", 14, joint="curve")
    picture.save(path)
    return path


def test_file_is_shown_and_read_until_the_next_stroke(page, seven):
    page["file"].send_keys(str(seven))
    page.shows("7", "% sure")
    np.testing.assert_array_equal(shown(page), digit_image(seven))
    assert drawn(page)[320, 10].tolist() == [245, 245, 220, 255]
    page.draw(BAR)
    page.shows("1", "% sure")
    assert drawn(page)[320, 10].tolist() == [0] * 4


@pytest.mark.parametrize(("event", "field"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")])
def test_picture_can_be_dropped_and_pasted(page, seven, event, field):
    page.script(PUT, base64.b64encode(seven.read_bytes()).decode(), event, field)
    page.shows("7", "% sure")


def test_file_that_is_no_picture_is_one_line_and_a_blank_one_is_empty(page, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    page["file"].send_keys(str(tmp_path / "notes.png"))
    page.shows("–", "This browser cannot read the file as a picture")
    Image.new("L", (200, 100), 220).save(tmp_path / "blank.png")
    page["file"].send_keys(str(tmp_path / "blank.png"))
    page.shows("–", "Nothing to read")


def test_phone_draws_with_a_finger_and_does_not_scroll_sideways(browser, address):
    page = Page(browser, address, PORTRAIT, phone=True)
    page.shows("–", EMPTY)
    page.touch("pad", BAR)
    page.shows("1", "% sure")
    assert page.script("return [scrollY, document.documentElement.scrollWidth]") == [0, PORTRAIT[0]]
    assert page["reading"].rect["y"] + page["reading"].rect["height"] < PORTRAIT[1]


@pytest.mark.parametrize("dark", [False, True])
def test_page_is_light_or_dark_and_reads_dark_ink(browser, address, dark):
    page = Page(browser, address, DESKTOP, dark=dark)
    page.shows("–", EMPTY)
    page.draw(BAR)
    page.shows("1", "% sure")
    paper, ink = (sum(map(int, page.style("body", name)[4:-1].split(","))) for name in ("backgroundColor", "color"))
    assert (paper < 3 * 64, ink < 3 * 64) == (dark, not dark)
    assert page.style("#pad", "filter") == ("invert(0.92)" if dark else "none")
    assert drawn(page)[320, 320].tolist() == [0, 0, 0, 255]


@pytest.mark.parametrize(
    ("preparation", "words"),
    [(None, "model.onnx: expected a file, found 404"), ("fit", "expected a model of digits, found one of Pictures")],
)
def test_missing_model_and_one_of_other_pictures_are_one_line(page, site, preparation, words):
    shutil.copytree(site, site.with_name("other"), ignore=shutil.ignore_patterns("*.onnx"))
    try:
        if preparation:
            write_model(site.with_name("other") / "model.onnx", bar_or_ring(-1), preparation=preparation)
        page.browser.get(page.browser.current_url.replace("browser", "other"))
        page.shows("–", words)
    finally:
        shutil.rmtree(site.with_name("other"))
