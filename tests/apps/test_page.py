"""The page of python -m apps.serve in a real browser: draw, read, choose a file, and ask nobody else."""

import base64
import json
import re
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from mnist_reader.about import About
from tests.apps.services import PAGE, served
from tests.clones import ROOT
from tests.linear import bar_or_ring, describe, write_model
from tests.tools import chromium

pytestmark = pytest.mark.slow
PATIENCE = 60  # seconds until a wait is given up
DESKTOP, PORTRAIT, LANDSCAPE = (940, 700), (390, 844), (844, 390)
ABOUT = About("Bars and rings", "MIT, by this test", tuple("0123456789"), "ink", 0.9, "1.0.0")
WEIGHTS = bar_or_ring(-1) / 10  # small enough that a dash across both is neither
BAR = [(0.5, y) for y in (0.2, 0.4, 0.6, 0.8)]  # strokes as fractions of the pad's sides
RING = [(0.5 + 0.1 * np.sin(turn), 0.5 - 0.3 * np.cos(turn)) for turn in np.linspace(0, 2 * np.pi, 25)]
STAR = [(0.4, 0.2), (0.6, 0.8), (0.35, 0.45), (0.65, 0.45), (0.4, 0.8), (0.6, 0.2)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "linear.onnx"
    write_model(path, WEIGHTS)
    describe(path, ABOUT.properties)
    return path


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    """The page, served by the real program on a free port."""
    with served(tmp_path_factory.mktemp("service"), model) as service:
        yield service.url + "/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser"), logs=("performance", "browser")) as driver:
        yield driver


class Page:
    """What a person does with the page and sees of it."""

    def __init__(self, browser, address, size=DESKTOP, phone=False, dark=False):
        self.browser, self.wait = browser, WebDriverWait(browser, PATIENCE, poll_frequency=0.05)
        self.devtools("Emulation.setDeviceMetricsOverride", **dict(zip(("width", "height"), size, strict=True)),
                      deviceScaleFactor=1, mobile=phone)  # fmt: skip
        self.devtools("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        browser.get("about:blank")  # so that only the fragment's change loads the page too
        browser.get(address)

    def devtools(self, command, **arguments):
        return self.browser.execute_cdp_cmd(command, arguments)

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def __getitem__(self, id_):
        return self.browser.find_element(By.ID, id_)

    def text(self, id_):
        return self.script("return document.getElementById(arguments[0]).textContent", id_)

    def shows(self, reading, sure=""):
        """Wait until the page shows this reading, and words about it that hold `sure`."""
        self.wait.until(lambda _: self.text("reading") == reading and sure in self.text("sure"))

    def says(self, words):
        """Wait until a screen reader is told something that begins with these words."""
        self.wait.until(lambda _: self.text("live").startswith(words))

    def draw(self, points, shift=0.0):
        """A stroke with the mouse, moved to the right by `shift` of the pad's width."""
        pad = self["pad"]
        width, height = pad.size["width"], pad.size["height"]
        offsets = [(round((x + shift - 0.5) * width), round((y - 0.5) * height)) for x, y in points]
        actions = ActionChains(self.browser, duration=10).move_to_element_with_offset(pad, *offsets[0]).click_and_hold()
        for offset in offsets[1:]:
            actions.move_to_element_with_offset(pad, *offset)
        actions.release().perform()

    def touch(self, id_, points):
        """Move a finger over a part of the page, through points that are fractions of its sides."""
        part = self.script("return document.getElementById(arguments[0]).getBoundingClientRect().toJSON()", id_)
        steps = [[{"x": part["x"] + x * part["width"], "y": part["y"] + y * part["height"]}] for x, y in points]
        kinds = ["touchStart", *["touchMove"] * len(steps), "touchEnd"]
        for kind, step in zip(kinds, [steps[0], *steps, []], strict=True):
            self.devtools("Input.dispatchTouchEvent", type=kind, touchPoints=step)

    def press(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()

    def boxes(self):
        """The boxes over the picture: left, top, right, bottom as fractions of the pad's sides."""
        return self.script(
            """const pad = document.getElementById("pad").getBoundingClientRect();
            return [...document.querySelectorAll("#boxes span")].map((box) => {
              const { left, top, right, bottom } = box.getBoundingClientRect();
              return [(left - pad.left) / pad.width, (top - pad.top) / pad.height,
                      (right - pad.left) / pad.width, (bottom - pad.top) / pad.height];
            });"""
        )

    def sides(self):
        """Width and height of the pad, as fractions of its width."""
        width, height = self["pad"].size["width"], self["pad"].size["height"]
        return [1, pytest.approx(height / width, abs=0.01)]

    def style(self, selector, property_):
        return self.script(
            "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, property_
        )

    def focusable(self):
        """Role and name, as a screen reader has them, of all that takes the focus."""
        self.devtools("Accessibility.enable")
        return [
            (node["role"]["value"], node["name"]["value"])
            for node in self.devtools("Accessibility.getFullAXTree")["nodes"]
            if any(one["name"] == "focusable" for one in node.get("properties", ())) and not node["ignored"]
        ]

    def errors(self):
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def hosts(self):
        """Every host that was asked for anything, since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        requests = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        urls = [urlsplit(one["request"]["url"]) for one in requests]
        return {url.hostname for url in urls if url.scheme in ("http", "https", "ws", "wss")}


@pytest.fixture
def page(browser, address):
    page = Page(browser, address)
    page.shows("–", "Nothing drawn yet")
    return page


def two_digits(size, middles):
    """A picture of a bar and a ring at these places, 100 pixels high."""
    image = Image.new("L", size, "white")
    pen = ImageDraw.Draw(image)
    (x, y), (x_ring, y_ring) = middles
    pen.line([x, y - 50, x, y + 50], "black", 12)
    pen.ellipse([x_ring - 33, y_ring - 50, x_ring + 33, y_ring + 50], outline="black", width=12)
    return image


def test_stroke_is_read_and_cleared_without_an_error_or_another_host(page):
    page.errors()
    page.hosts()
    page.browser.refresh()
    page.shows("–", "Nothing drawn yet")
    assert (page.text("title"), page.browser.title) == (ABOUT.title, ABOUT.title)

    page.draw(BAR)
    page.shows("1", "% sure")
    page.says("Read 1, ")
    shares = [row.text for row in page.browser.find_elements(By.CSS_SELECTOR, "#bars .share")]
    assert len(shares) == 10
    assert max(shares, key=lambda text: float(text.split()[0])) == shares[1]
    assert page.boxes() == []

    page["clear"].click()
    page.shows("–", "Nothing drawn yet")
    page.draw(RING)
    page.shows("0", "% sure")
    assert page.errors() == []
    assert page.hosts() == {"127.0.0.1"}


def test_lines_of_docs_serving_md_send_a_drawing(page):
    (lines,) = re.findall(r"```js\n(.+?)```", (ROOT / "docs/serving.md").read_text(), re.DOTALL)
    page.draw(BAR)
    page.shows("1")
    script = f"const canvas = document.getElementById('pad'); {lines} return readings;"
    (reading,) = page.script(f"return (async () => {{ {script} }})();")
    assert (reading["text"], [digit["label"] for digit in reading["digits"]]) == ("1", ["1"])


def test_undo_takes_back_a_stroke_and_a_clearing(page):
    page.draw(BAR, -0.3)
    page.shows("1")
    page.draw(RING)
    page.shows("10")
    page["undo"].click()
    page.shows("1")
    page.press(Keys.ESCAPE)
    page.shows("–")
    ActionChains(page.browser).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    page.shows("1")
    page.press(Keys.DELETE)
    page.shows("–")


def test_two_digits_have_boxes_around_them_and_bars_of_their_own(page):
    page.draw(BAR, -0.3)
    page.draw(RING, 0.2)
    page.shows("10")
    (left, top, right, bottom), ring = page.boxes()
    pen = 1 / 32  # of the pad's width, twice that of its height
    assert [left, top, right, bottom] == pytest.approx([0.2 - pen / 2, 0.2 - pen, 0.2 + pen / 2, 0.8 + pen], abs=0.02)
    # A busy browser passes over points of a curve.
    assert ring == pytest.approx([0.6 - pen / 2, 0.2 - pen, 0.8 + pen / 2, 0.8 + pen], abs=0.05)

    best = "return document.querySelector('#bars .best th').textContent"
    assert page.script(best) == "1"
    first, second = page.browser.find_elements(By.CSS_SELECTOR, "#digits label")
    second.click()
    assert (page.script(best), "digit 2 of 2" in page.text("caption")) == ("0", True)
    page.press(Keys.ARROW_LEFT)
    assert (page.script(best), "digit 1 of 2" in page.text("caption")) == ("1", True)
    assert first.text.startswith("1, ")


def test_what_is_no_digit_is_unsure_in_words(page):
    page.draw(STAR)
    page.wait.until(lambda _: page.text("sure") == "Unsure")
    page.says("Perhaps ")
    assert page.browser.find_element(By.CSS_SELECTOR, "#digits label").text.endswith("unsure")


def test_keyboard_draws_and_reaches_everything_with_a_visible_focus(page):
    reached = []
    for _ in range(4):
        page.press(Keys.TAB)
        reached.append(page.script("return document.activeElement.id"))
        assert page.style(":focus", "outlineStyle") == "solid"
    assert reached == ["pad", "undo", "clear", "choose"]

    page["pad"].send_keys(Keys.SPACE)
    page.says("Pen down")
    page.press(*[Keys.ARROW_DOWN] * 16, Keys.SPACE)
    page.shows("1")
    page.script("document.activeElement.blur(); document.getElementById('choose').focus()")
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.type") == "radio"
    assert page.style("#digits :focus-visible + img", "outlineStyle") == "solid"


def test_every_part_that_takes_the_focus_has_a_name(page):
    page.draw(BAR)
    page.shows("1")
    roles = page.focusable()
    assert {role for role, _ in roles} == {"RootWebArea", "application", "button", "link", "radio"}
    assert all(name for _, name in roles)


def test_file_is_shown_in_the_pads_place_and_read(page, tmp_path):
    two_digits((300, 600), [(70, 200), (200, 200)]).save(tmp_path / "two.png")
    page["file"].send_keys(str(tmp_path / "two.png"))
    page.shows("10")
    assert page.sides() == [1, 1]
    bar, ring = page.boxes()  # the picture is half as wide as high, and stands in the middle of a square
    assert bar == pytest.approx([0.25 + 64 / 600, 150 / 600, 0.25 + 76 / 600, 250 / 600], abs=0.02)
    assert ring == pytest.approx([0.25 + 167 / 600, 150 / 600, 0.25 + 233 / 600, 250 / 600], abs=0.02)
    page.draw(BAR)  # not over a picture
    page.shows("10")
    page["undo"].click()
    page.shows("–", "Nothing drawn yet")
    assert page.sides() == [1, 0.5]


@pytest.mark.parametrize(("event", "field"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")])
def test_picture_can_be_dropped_and_pasted(page, tmp_path, event, field):
    two_digits((400, 200), [(100, 100), (300, 100)]).save(tmp_path / "two.png")
    page.script(
        """const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "two.png", { type: "image/png" }));
        const name = arguments[1] === "DragEvent" ? "drop" : "paste";
        document.body.dispatchEvent(new window[arguments[1]](name, { [arguments[2]]: data, bubbles: true }));""",
        base64.b64encode((tmp_path / "two.png").read_bytes()).decode(),
        event,
        field,
    )
    page.shows("10")


def test_file_that_is_no_picture_is_one_line(page, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    page["file"].send_keys(str(tmp_path / "notes.png"))
    page.shows("–", "expected a picture")
    page.says("picture: expected a picture")
    assert "\n" not in page.text("sure")
    page.press(Keys.ESCAPE)
    page.draw(BAR)
    page.shows("1")
    page.errors()  # the browser counts the answer 422 as one


def test_picture_that_the_browser_cannot_show_is_read(page, tmp_path):
    two_digits((400, 200), [(100, 100), (300, 100)]).save(tmp_path / "two.tiff")
    page["file"].send_keys(str(tmp_path / "two.tiff"))
    page.shows("10")
    assert page["hint"].text == "This browser cannot show the picture"
    assert not page["boxes"].is_displayed()


def test_blank_picture_is_empty(page, tmp_path):
    Image.new("L", (200, 200), "white").save(tmp_path / "blank.png")
    page["file"].send_keys(str(tmp_path / "blank.png"))
    page.shows("–", "Nothing to read")
    page.says("Nothing to read")
    assert page.boxes() == []


def test_page_says_what_it_reads_where_the_classes_are_digits(page):
    assert "does not read scenes, seven-segment displays or letters" in page["scope"].text


@pytest.fixture(scope="module")
def address_of_pages(model, tmp_path_factory):
    """The service, which answers with twelve lines of five digits, turned."""
    before = PAGE.format(lines=12, columns=5, turned=90)
    with served(tmp_path_factory.mktemp("pages"), model, before=before) as service:
        yield service.url + "/"


@pytest.mark.parametrize("phone", [False, True])
def test_sixty_digits_in_twelve_lines_are_shown_in_their_places_and_leave_room(browser, address_of_pages, phone):
    page = Page(browser, address_of_pages, PORTRAIT if phone else DESKTOP, phone=phone)
    page.shows("–", "Nothing drawn yet")
    page.touch("pad", BAR) if phone else page.draw(BAR)
    page.shows("\n".join(["11.111"] * 12), "Unsure about 1 of 60 digits, read turned by 90°")
    assert page["reading"].text.split("\n") == ["11.111"] * 12  # as it looks
    page.says("Perhaps 12 lines: 11.111; 11.111; ")

    columns, lines = np.arange(60) % 5, np.arange(60) // 5
    expected = np.array([columns / 5, lines / 12, (columns + 0.8) / 5, (lines + 0.8) / 12]).T
    assert np.allclose(page.boxes(), expected, atol=0.01)
    labels = page.script("return [...document.querySelectorAll('#boxes b')].map((label) => label.textContent)")
    assert labels == ["1"] * 60

    names = [name for role, name in page.focusable() if role == "radio"]
    assert (len(names), sum(name.endswith("unsure") for name in names), names[0][-1]) == (60, 1, "%")
    page.browser.find_elements(By.CSS_SELECTOR, "#digits img")[13].click()
    assert "(digit 14 of 60, in line 3)" in page.text("caption")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    if phone:
        assert page["seen"].size["height"] < PORTRAIT[1] / 2
        assert page["head"].size["height"] < PORTRAIT[1] / 2


def test_dark_page_sends_dark_ink_on_white_paper(browser, address):
    page = Page(browser, address, dark=True)
    page.shows("–", "Nothing drawn yet")
    page.draw(BAR)
    page.shows("1")
    background, ink = (
        np.mean([int(one) for one in page.style("body", name)[4:-1].split(",")])
        for name in ("backgroundColor", "color")
    )
    assert background < 64 < 192 < ink
    pixels = "return [...document.getElementById('pad').getContext('2d').getImageData(arguments[0], 240, 1, 1).data]"
    assert (page.script(pixels, 10), page.script(pixels, 480)) == ([255] * 4, [0, 0, 0, 255])


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE])
def test_phone_draws_with_a_finger_and_scrolls_beside_the_pad(browser, address, size):
    page = Page(browser, address, size, phone=True)
    page.shows("–", "Nothing drawn yet")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth && innerWidth") == size[0]
    assert [page.style(name, "touchAction") for name in ("#pad", "#frame", "main", "body")] == ["none"] + ["auto"] * 3

    page.touch("pad", reversed(BAR))
    page.shows("1")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    page.browser.execute_async_script("setTimeout(arguments[0], 500)")  # in which the page would scroll
    assert page.script("return scrollY") == 0
    page.touch("bars", reversed(BAR))
    page.wait.until(lambda _: page.script("return scrollY") > 0)


def test_a_hundred_classes_with_long_names_show_the_ten_best(browser, tmp_path):
    weights = np.repeat(WEIGHTS, 10, axis=1) + np.linspace(0, 0.01, 100, dtype=np.float32)
    names = tuple(f"T-shirt or a very long name {number}" for number in range(100))
    write_model(tmp_path / "linear.onnx", weights)
    describe(tmp_path / "linear.onnx", ABOUT._replace(classes=names, threshold=0.1).properties)
    with served(tmp_path, tmp_path / "linear.onnx") as service:
        page = Page(browser, service.url + "/", PORTRAIT, phone=True)
        page.shows("–", "Nothing drawn yet")
        assert page.browser.find_elements(By.CSS_SELECTOR, "#bars tr") == []
        assert not page["scope"].is_displayed()
        page.draw(BAR)
        page.shows(names[19])
        rows = [row.text for row in page.browser.find_elements(By.CSS_SELECTOR, "#bars th")]
        assert rows == [names[number] for number in range(19, 9, -1)]
        assert page["bars"].find_element(By.TAG_NAME, "th").size["width"] >= 100  # no word is cut into letters
        assert page.script("return document.documentElement.scrollWidth <= innerWidth")


def test_token_is_asked_for_once_or_taken_from_the_address(browser, model, tmp_path):
    with served(tmp_path, model, environment={"MNIST_TOKEN": "open sesame"}) as service:
        address = service.url + "/"
        page = Page(browser, address)
        page.shows("–", "The service asks for its token")
        page.press("wrong", Keys.ENTER)
        page.shows("–", "The service refuses this token")
        page.press("open sesame", Keys.ENTER)
        page.shows("–", "Nothing drawn yet")
        assert not page["login"].is_displayed()
        page.draw(BAR)
        page.shows("1")
        page.browser.refresh()
        page.shows("–", "Nothing drawn yet")

        page.script("sessionStorage.clear()")
        page = Page(browser, address + "#token=open%20sesame")
        page.shows("–", "Nothing drawn yet")
        assert browser.current_url == address
        page.errors()  # the browser counts each answer 401 as one


def test_service_that_has_ended_is_one_line(browser, model, tmp_path):
    with served(tmp_path, model) as service:
        page = Page(browser, service.url + "/")
        page.shows("–", "Nothing drawn yet")
    page.draw(BAR)
    page.shows("–", "The service does not answer")
    page.errors()
