"""Show what was read: boxes and answers drawn on a picture.

from mnist_reader import Reader
from mnist_reader.show import draw

draw("photo.jpg", Reader().read("photo.jpg")).show()
"""

import itertools
import math
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_reader.core.errors import UserError
from mnist_reader.picture import FORMATS, Picture, grey_levels
from mnist_reader.reading import Digit, Reading, overlap, turned_box

LARGEST, SMALLEST = 1840, 600  # pixels of the picture's longer side; a drawing, with its margin, has at most 2,000
DIGIT = 100  # pixels of a digit's longer side, to which a page of small digits is enlarged
FONT = (12, 40)  # pixels, the smallest and the largest size
SURE, UNSURE = "#0072B2", "#D55E00"  # blue and vermilion, which colour-blind people tell apart (Okabe and Ito, 2008)

Area = tuple[int, int, int, int]  # left, top, right and bottom, in pixels of the drawing


class ShowError(UserError):
    """A drawing that cannot be made or written."""


def draw(picture: Picture, reading: Reading) -> Image.Image:
    """Draw a box around each digit, and its answer beside it.

    A sure digit has a solid blue box and a filled label. An unsure one has a dashed vermilion box and a hollow label
    with a question mark.

    Args:
        picture: as `Reader.read` takes it.
        reading: what `Reader.read` says to it.

    Returns:
        RGB: the picture in grey within a white margin, turned as EXIF says and then by `reading.turned`. The longer
        side has at most 2,000 pixels: a larger picture is made smaller, and one that is small or has small digits is
        enlarged.

    Raises:
        PictureError: as `Reader.read` does.
    """
    page = Image.fromarray(np.rot90(grey_levels(picture, "picture"), -reading.turned // 90))
    turned = [turned_box(digit.box, reading.turned // 90) for digit in reading.digits]
    boxes = np.reshape(turned, (-1, 4)) * (page.size * 2)
    scale = _scale(max(page.size), _usual_side(boxes))
    page = page.resize([max(1, round(side * scale)) for side in page.size], Image.Resampling.BOX)
    size = _font_size(boxes * scale, [len(line) for line in reading.lines])
    margin = 2 * size
    drawing = Image.new("RGB", (page.width + 2 * margin, page.height + 2 * margin), "white")
    drawing.paste(page, (margin, margin))
    areas: list[Area] = [tuple(area) for area in ((boxes * scale).round().astype(int) + margin).tolist()]
    _annotate(drawing, reading.digits, areas, size)
    return drawing


def _usual_side(boxes: np.ndarray) -> float:
    """The median of the longer sides; infinite without a box."""
    return float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1))) if len(boxes) else math.inf


def _scale(longest: int, digit: float) -> float:
    """How often the picture's longest side, and a digit's, go into those of the drawing; whole where it grows."""
    scale = min(max(1, SMALLEST / longest, DIGIT / digit), LARGEST / longest)
    return scale if scale < 1 else math.floor(scale)


def _font_size(boxes: np.ndarray, lengths: list[int]) -> int:
    """Pixels: such that a label fits a digit and, where it can, the gap between the lines, which have these lengths."""
    lines = np.split(boxes, np.cumsum(lengths)[:-1])
    gaps = [float(np.median(lower[:, 1]) - np.median(upper[:, 3])) for upper, lower in itertools.pairwise(lines)]
    return round(min(max(min([_usual_side(boxes) * 0.4, *(gap / 1.6 for gap in gaps)]), FONT[0]), FONT[1]))


def _annotate(drawing: Image.Image, digits: tuple[Digit, ...], areas: list[Area], size: int) -> None:
    """Draw the outlines and labels of digits in these areas, with letters of `size` pixels."""
    pen, font, line = ImageDraw.Draw(drawing), ImageFont.load_default(size), max(2, size // 8)
    outer = [
        (left - line - 2, top - line - 2, right + line + 2, bottom + line + 2) for left, top, right, bottom in areas
    ]
    for digit, area in zip(digits, outer, strict=True):
        _outline(pen, area, line, digit.unsure)
    taken = list(areas)
    for digit, area in zip(digits, outer, strict=True):
        text = digit.label + digit.mark + ("?" if digit.unsure else "")
        label = _place(round(font.getlength(text)) + size // 2, round(1.25 * size), area, taken, drawing.size)
        taken.append(label)
        fill, ink, edge = ("white", UNSURE, UNSURE) if digit.unsure else (SURE, "white", "white")
        pen.rectangle(label, fill, edge)
        pen.text(((label[0] + label[2]) / 2, (label[1] + label[3]) / 2), text, ink, font, anchor="mm")


def _outline(pen: ImageDraw.ImageDraw, area: Area, line: int, dashed: bool) -> None:
    """A rectangle at the edge of an area, between two thin white ones that set it off from a dark picture."""
    pen.rectangle(area, outline="white", width=line + 2)
    left, top, right, bottom = area[0] + 1, area[1] + 1, area[2] - 1, area[3] - 1
    if not dashed:
        pen.rectangle((left, top, right, bottom), outline=SURE, width=line)
        return
    for start in range(left, right, 5 * line):
        for y in (top, bottom - line + 1):
            pen.rectangle((start, y, min(start + 3 * line, right), y + line - 1), UNSURE)
    for start in range(top, bottom, 5 * line):
        for x in (left, right - line + 1):
            pen.rectangle((x, start, x + line - 1, min(start + 3 * line, bottom)), UNSURE)


def _place(width: int, height: int, area: Area, taken: list[Area], size: tuple[int, int]) -> Area:
    """Above, below, to the right or to the left of an area: the first place that covers little of what is taken."""
    left, top, right, bottom = area
    x, y = (left + right - width) // 2, (top + bottom - height) // 2
    corners = [(x, top - height), (x, bottom), (right, y), (left - width, y)]
    inside = [(min(max(x, 0), size[0] - width), min(max(y, 0), size[1] - height)) for x, y in corners]
    places = [(x, y, x + width, y + height) for x, y in inside]
    little = width * height // 4
    return min(places, key=lambda place: max(little, sum(overlap(place, other) for other in taken)))


def save(drawing: Image.Image, path: Path) -> None:
    """Write a drawing in the format of the file's suffix; the file is whole, or as it was before.

    Raises:
        ShowError: another suffix, or a file that cannot be written.
    """
    form = picture_suffixes().get(path.suffix.lower())
    if form not in Image.SAVE:
        raise ShowError(f"{path}: expected a name that ends in .png, .jpg or the like, found {path.name!r}")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".mnist-") as folder:
            scratch = Path(folder, path.name)
            drawing.save(scratch, form)
            scratch.replace(path)
    except OSError as error:
        raise ShowError(f"{path}: expected a file that can be written, found: {error.strerror or error}") from None


def picture_suffixes() -> dict[str, str]:
    """The suffixes of the formats that are read, such as `.jpg`, in small letters, and the format of each."""
    return {suffix: form for suffix, form in Image.registered_extensions().items() if form in FORMATS}
