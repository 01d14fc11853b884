"""Pages as people photograph them are read: the text, and where each digit stands."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.mnist_reader.pages import Writer, photo, released_reader

PAGES = 30  # of each kind


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return released_reader(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def writer(reader):
    return Writer(reader)


def across(page, turn=0.0):
    """From about -1 to 1 over the page, in the direction that `turn` says, in radians."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in page.ink.shape), indexing="ij")
    return x * np.cos(turn) + y * np.sin(turn)


def drawn_on(page, draw):
    """The page and what `draw` draws, 255 = full ink."""
    more = Image.new("L", page.ink.shape[::-1])
    draw(ImageDraw.Draw(more), *more.size)
    return page._replace(ink=np.maximum(page.ink, np.asarray(more) / 255))


def plain(writer):
    height = int(writer.rng.integers(30, 120))
    page = writer.page(writer.lines(1, 4), height, thick=max(3, height // 10))
    return page, photo(page.ink)


def shadow(writer):
    """A part is 30 % darker, with a soft edge."""
    page = writer.page(writer.lines(1, 4))
    edge = across(page, writer.rng.uniform(0, 2 * np.pi)) - 0.3
    return page, photo(page.ink, 1 - 0.3 / (1 + np.exp(-20 * edge)))


def lamp(writer):
    page = writer.page(writer.lines(1, 4))
    return page, photo(page.ink, 0.7 + 0.2 * across(page, writer.rng.uniform(0, 2 * np.pi)))


def vignette(writer):
    page = writer.page(writer.lines(1, 4))
    return page, photo(page.ink, 1 - 0.25 * (across(page) ** 2 + across(page, np.pi / 2) ** 2))


def table(writer):
    """The sheet lies on a dark table."""
    page = writer.page(writer.lines(2, 4))
    (top, left), (bottom, right) = writer.rng.integers(20, 150, (2, 2))
    levels = np.pad(photo(page.ink), ((top, bottom), (left, right)), constant_values=60)
    return page._replace(boxes=page.boxes + np.array([left, top, left, top])), levels


def ruled(writer):
    page = writer.page(writer.lines(2, 4), apart=1.6)
    first = writer.rng.integers(96)

    def draw(lines, width, height):
        for at in range(first, height, 96):
            lines.line((0, at, width, at), 100, 2)

    return (page := drawn_on(page, draw)), photo(page.ink)


def squared(writer):
    page = writer.page(writer.lines(2, 4))
    gap = writer.rng.integers(30, 50)

    def draw(lines, width, height):
        for at in range(0, max(width, height), gap):
            lines.line((0, at, width, at), 70, 2)
            lines.line((at, 0, at, height), 70, 2)

    return (page := drawn_on(page, draw)), photo(page.ink)


def cells(writer):
    """A row of a form, some of whose cells are empty."""
    full = writer.rng.random(8) < 0.6
    full[0] = True
    text = "".join(writer.number(1) if is_full else "_" for is_full in full)
    page = writer.form(text)
    return page, photo(page.ink)


def frame(writer):
    page = writer.page(writer.lines(1, 3))

    def draw(lines, width, height):
        lines.rectangle((12, 12, width - 13, height - 13), outline=200, width=3)

    return (page := drawn_on(page, draw)), photo(page.ink)


def marks(writer):
    day, number = writer.number(2), writer.number
    texts = [f"{day}.{number(2)}.{number(4)}", f"{number(1, 3)},{number(1, 2)}", f"{number(2)}.{number(2)}"]
    page = writer.page([*writer.rng.permutation(texts)[: writer.rng.integers(1, 4)]])
    return page, photo(page.ink)


def lines(writer):
    return (page := writer.page(writer.lines(2, 6))), photo(page.ink)


def slanted(writer):
    slope = writer.rng.uniform(0.03, 0.1) * writer.rng.choice([-1, 1])
    page = writer.page(writer.lines(2, 4), slope=slope, apart=2)
    return page, photo(page.ink)


def blackboard(writer):
    return (page := writer.page(writer.lines(1, 4))), photo(page.ink, paper=40, pen=220)


def thin(writer):
    """A phone's picture of a sheet on which small digits are written with a pale pencil."""
    page = writer.page(writer.lines(2, 3), height=150, thick=6)
    levels = np.full((3000, 4000), 210, np.uint8)
    top, left = (writer.rng.integers(side - own) for side, own in zip(levels.shape, page.ink.shape, strict=True))
    levels[top : top + page.ink.shape[0], left : left + page.ink.shape[1]] = photo(
        page.ink, paper=210, pen=140, noise=0
    )
    return page._replace(boxes=page.boxes + np.array([left, top, left, top])), levels


def touching(writer):
    return (page := writer.page(writer.lines(1, digits=(2, 4)), gaps=(-0.1, 0.02))), photo(page.ink)


def broken(writer):
    page = writer.page([writer.number(3, 6)])
    ink = page.ink.copy()
    for left, top, right, bottom in page.boxes:
        at = top + round((bottom - top) * writer.rng.uniform(0.2, 0.8))
        ink[at : at + 2, left:right] = 0
    return page, photo(ink)


def on_its_side(writer):
    page = writer.page(writer.lines(2, 4, digits=(4, 7)))
    quarters = int(writer.rng.integers(1, 4))
    levels = photo(page.ink)
    rows, columns = levels.shape
    left, top, right, bottom = page.boxes.T
    for _ in range(quarters):  # as np.rot90 turns, counterclockwise
        left, top, right, bottom, columns, rows = top, columns - right, bottom, columns - left, rows, columns
    return page._replace(boxes=np.stack([left, top, right, bottom], axis=1)), np.rot90(levels, quarters)


def specks(writer):
    page = writer.page(writer.lines(1, 3))

    def draw(dirt, width, height):
        for x, y in writer.rng.uniform((0, 0), (width, height), (25, 2)):
            dirt.circle((x, y), writer.rng.uniform(0.5, 1.5), 160)

    return (page := drawn_on(page, draw)), photo(page.ink)


def at_the_edge(writer):
    page = writer.page(writer.lines(1, 3))
    left, top = page.boxes[:, :2].min(axis=0) - 2
    right, bottom = page.boxes[:, 2:].max(axis=0) + 2
    page = page._replace(ink=page.ink[top:bottom, left:right], boxes=page.boxes - [left, top, left, top])
    return page, photo(page.ink)


EASY = (plain, shadow, lamp, vignette, ruled, squared, cells, frame, marks, lines, slanted, blackboard, thin, broken)
# Kind, number of pages, least share that is right, most that is wrong and sure: with a margin of about two pages.
KINDS = [
    *((kind, 25, 0.88, 0.08) for kind in (*EASY, specks, at_the_edge)),
    (table, 25, 0.88, 0.04),
    pytest.param(on_its_side, 25, 0.76, 0.04, marks=pytest.mark.slow),
    pytest.param(touching, 100, 0.6, 0.03, marks=pytest.mark.slow),
]


def shared(one, other):
    """The area that two boxes share, as a fraction of what they cover."""
    (left, top), (right, bottom) = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = max(right - left, 0) * max(bottom - top, 0)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)


@pytest.mark.parametrize(("kind", "count", "least", "most"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_pages_are_read_and_each_digit_is_where_it_was_drawn(reader, writer, kind, count, least, most):
    writer.rng = np.random.default_rng(1)
    right, wrong, places = 0, 0, []
    for _ in range(count):
        page, levels = kind(writer)
        reading = reader.read(levels)
        if reading.text == page.text:
            right += 1
            places += [shared(digit.pixels, box) for digit, box in zip(reading.digits, page.boxes, strict=True)]
        else:
            wrong += not reading.unsure
    assert right >= least * count
    assert wrong <= most * count
    assert np.mean(places) > 0.75
    assert np.quantile(places, 0.02) > 0.3


@pytest.mark.parametrize("pen", [180, 195, 205])  # on paper of 225, beside ink of 45
def test_a_page_with_a_digit_too_pale_to_read_is_not_sure_of_the_others(reader, writer, pen):
    writer.rng, missed = np.random.default_rng(2), 0
    for _ in range(10):
        page = writer.page(writer.lines(2, 3))
        dark, pale = photo(page.ink, noise=0), photo(page.ink, pen=pen, noise=0)
        left, top, right, bottom = page.boxes[writer.rng.integers(len(page.boxes))]
        dark[top:bottom, left:right] = pale[top:bottom, left:right]
        reading = reader.read(dark)
        missed += not (reading.unsure or reading.text == page.text)
    assert missed == 0


@pytest.mark.parametrize("name", ["DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "cmr10", "cmss10", "cmtt10"])
def test_a_printed_date_keeps_its_slashes_and_is_unsure(reader, name):
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), f"fonts/ttf/{name}.ttf"), 60)
    page = Image.new("L", (500, 140), 235)
    ImageDraw.Draw(page).text((250, 70), "24/12/2026", 40, font, anchor="mm")
    reading = reader.read(page)
    assert (reading.text, reading.unsure) == ("24/12/2026", True)
