"""Read digits in pictures: the library that other programs use."""

import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_reader.about import About, AboutError
from mnist_reader.classifier import Classifier
from mnist_reader.core.normalisation import normalised
from mnist_reader.ink import WORK, NoInkError, TooManyError, cut_out
from mnist_reader.looks import Box, Look, close_look
from mnist_reader.page import page_look
from mnist_reader.picture import GreyPicture, Picture, PictureError, grey_picture
from mnist_reader.preparation import whole_image
from mnist_reader.reading import Digit, Reading, overlap, pixels
from mnist_reader.recognition import Recognised, recognise

SURE = 0.9  # confidence below which a digit is unsure that is doubtful for its form or place
MOST_PIXELS = 16_000_000  # a larger picture is read in a smaller copy; the smallest digit of a page still has 16 rows
NOTHING = 0.25  # what is less probable is no digit, and neither is a line that is mostly that
FEW = 4  # parts; a picture of no more may be one digit that is broken
MORE = 3  # digits more are read on a page than from close, if the close look was misled,
READ = 0.7  # with a mean confidence of more than this
TURN = 3  # digits; a page with fewer is not turned,
TURNED = 32  # digits, at most, are turned to see which way is up,
BETTER = 0.15  # and turned it must have so much more mean confidence
IMAGES = 512  # that are prepared already, at a time
SAME = 0.6  # of the larger box is shared, if two looks saw the same digit


class Reader:
    """Reads pictures of a digit, a row of digits or a page of them with an exported ONNX model.

    >>> reading = Reader().read("photo.jpg")
    >>> print(reading.text, reading.confidence, reading.unsure)
    2026 0.987 False

    `reading.text` is the digits from left to right, a line for each row. `reading.confidence` is the probability that
    all of them are right, 0–1. `reading.unsure` is true where the picture may hold something else than digits: have a
    person look at it. `reading.lines` has the same for each digit, and where it stands.
    """

    def __init__(self, path: Path | str | None = None, accept_all: bool = False) -> None:
        """Load the model; takes a few hundredths of a second.

        Args:
            path: `MNIST_keras_CNN.onnx` of an export; without one, the model of the package or the clone.
            accept_all: read every picture as one digit, and call none unsure; an empty picture still is.

        Raises:
            ClassifierError: no such file, no ONNX, or no classifier of grey images.
            AboutError: the model does not say its classes, so it comes from an older export.
        """
        file = Path(path) if path else default_model()
        self.classifier = Classifier(file)
        self.about = About.of(self.classifier.properties, str(file))
        if len(self.about.classes) != self.classifier.classes:
            raise AboutError(f"{file}: expected {self.classifier.classes} class names, found {len(self.about.classes)}")
        self.accept_all = accept_all

    def read(self, picture: Picture, name: str = "picture") -> Reading:
        """Read one picture.

        Args:
            picture: the path, bytes or open file of a PNG, JPEG, WebP, GIF, BMP, TIFF, PPM or AVIF, or of a HEIC if
                pillow-heif is installed; a data URL of one; a Pillow image; or an array `(rows, columns)` or
                `(rows, columns, 3 or 4)`, `uint8`, of any size. Dark on light or light on dark.
            name: what an error calls it, where it is not a path.

        Raises:
            PictureError: one line: unreadable, damaged, too large, or no picture.
        """
        grey = grey_picture(picture, name)
        if self.about.preparation == "fit":
            return self._single(whole_image(grey.levels, self.classifier.shape), grey.size)
        grey = _reduced(grey)
        return self._whole(grey) if self.accept_all else self._upright(grey)

    def read_many(self, pictures: Iterable[Picture]) -> Iterator[Reading]:
        """Read pictures one after another, in order.

        Raises:
            PictureError: at the first picture that cannot be read.
        """
        yield from map(self.read, pictures)

    def read_images(self, images: np.ndarray) -> Iterator[Reading]:
        """Read images that are prepared already, as those of MNIST: one digit each, white ink on black.

        Args:
            images: `uint8` `(n, rows, columns)`, of the model's shape.

        Raises:
            PictureError: something else.
        """
        rows, columns = self.classifier.shape
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (rows, columns):
            kind = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
            raise PictureError(f"images: expected uint8 (n, {rows}, {columns}), found {kind}")
        for start in range(0, len(images), IMAGES):
            part = images[start : start + IMAGES]
            for image, probabilities in zip(part, self.classifier(part), strict=True):
                yield self._one(image, probabilities, (image.shape[1], image.shape[0]))

    def _upright(self, grey: GreyPicture) -> Reading:
        """The reading; of a page that lies on its side or its head, of the turned page."""
        reading = self._best(grey)
        if not reading.unsure or len(reading.digits) < TURN:
            return reading
        images = np.stack([digit.image for digit in reading.digits[:: -(-len(reading.digits) // TURNED)]])
        least = self._mean_of_turned(images, 0) + BETTER
        if not least <= 1:
            return reading
        means = [self._mean_of_turned(images, turns) for turns in range(1, 4)]
        turns = int(np.argmax(means)) + 1
        if not means[turns - 1] >= least:
            return reading
        levels = np.ascontiguousarray(np.rot90(grey.levels, turns))
        turned = self._best(GreyPicture(levels, grey.size if turns == 2 else (grey.size[1], grey.size[0])))
        return turned.turned_back(turns, grey.size) if _mean(turned) >= _mean(reading) + BETTER else reading

    def _mean_of_turned(self, images: np.ndarray, turns: int) -> float:
        """The mean confidence in images `(n, rows, columns)`, turned counterclockwise so often by 90 degrees."""
        return float(self.classifier(np.rot90(images, turns, (1, 2))).max(axis=1).mean())

    def _best(self, grey: GreyPicture) -> Reading:
        """The reading from close; of a large picture, or where that is empty, perhaps the one from afar."""
        try:
            look = close_look(grey.levels)
        except NoInkError:
            return self._page(grey)
        close = self._close(look, grey)
        small = max(grey.levels.shape) <= WORK
        if not (close.empty if small else close.unsure or look.coarse):
            return close
        return _chosen(look, close, self._page(grey))

    def _page(self, grey: GreyPicture) -> Reading:
        """What a look from afar says; of too much ink that is something, but nobody knows what."""
        try:
            return self._reading(page_look(grey.levels), grey)
        except TooManyError:
            return self._whole(grey)._replace(more=True)
        except NoInkError:
            return Reading(())

    def _close(self, look: Look, grey: GreyPicture) -> Reading:
        """What a close look says, unless that is unsure and the model is sure that the whole picture is one digit."""
        reading = self._reading(look, grey)
        if reading.unsure and len(reading.digits) <= FEW and not look.alone:
            whole = self._whole(grey)
            return whole if whole.confidence >= self.about.threshold else reading
        return reading

    def _reading(self, look: Look, grey: GreyPicture) -> Reading:
        found = recognise(look, self.classifier, self.classifier.shape, self.about.threshold)
        digits = [line for line in found if _has_digits(line)] or found
        rows, columns = grey.levels.shape
        lines = []
        for line in digits:
            boxes = [np.divide(digit.box, (columns, rows, columns, rows)).tolist() for digit in line]
            lines.append(tuple(self._digit(digit, box, grey.size) for digit, box in zip(line, boxes, strict=True)))
        return Reading(tuple(lines), more=look.more or len(digits) < len(found))

    def _whole(self, grey: GreyPicture) -> Reading:
        """The picture as one digit."""
        try:
            return self._single(normalised(cut_out(grey.levels), self.classifier.shape), grey.size)
        except NoInkError:
            return Reading(())

    def _single(self, image: np.ndarray, size: tuple[int, int]) -> Reading:
        (probabilities,) = self.classifier(image[None])
        return self._one(image, probabilities, size)

    def _one(self, image: np.ndarray, probabilities: np.ndarray, size: tuple[int, int]) -> Reading:
        found = Recognised(image, probabilities, (0, 0, 1, 1))
        return Reading(((self._digit(found, (0.0, 0.0, 1.0, 1.0), size),),))

    def _digit(self, found: Recognised, box: Box, size: tuple[int, int]) -> Digit:
        """The digit in the form that programs get; `box` in fractions, `size` of the picture in pixels."""
        names, values = self.about.classes, found.probabilities
        second, first = map(int, np.argsort(values)[-2:])
        doubtful = self.about.preparation == "ink" and found.doubtful
        least = max(self.about.threshold, SURE) if doubtful else self.about.threshold
        if self.accept_all:
            least = 0.0
        trusted = float(values[first]) >= least and (self.accept_all or not found.unsure)  # NaN is no confidence
        return Digit(
            label=names[first],
            confidence=float(values[first]),
            second=names[second],
            second_confidence=float(values[second]),
            box=(box[0], box[1], box[2], box[3]),
            pixels=pixels(box, size),
            unsure=not trusted,
            probabilities=tuple(map(float, values)),
            image=found.image,
            mark=found.mark,
        )


def _reduced(grey: GreyPicture) -> GreyPicture:
    """The picture, or a smaller copy of a large one."""
    factor = math.ceil(math.sqrt(grey.levels.size / MOST_PIXELS))
    return grey._replace(levels=np.asarray(Image.fromarray(grey.levels).reduce(factor))) if factor > 1 else grey


def default_model() -> Path | zipfile.Path:
    """The model inside the package, as a wheel has it; else the export of the clone in which the package lies.

    In a fresh clone, where nothing was trained yet, it is the one inside the released wheel.
    """
    inside, clone = Path(__file__).with_name("model.onnx"), Path(__file__).parents[1]
    released = [] if (clone / "models").exists() else sorted(clone.glob("released/*.whl"))
    if inside.is_file() or not released:
        return inside if inside.is_file() else clone / "models/export/MNIST_keras_CNN.onnx"
    return zipfile.Path(released[0], "mnist_reader/model.onnx")


def _has_digits(line: list[Recognised]) -> bool:
    """Whether the model sees a digit in at least half of the line."""
    return float(np.median([digit.probabilities.max() for digit in line])) >= NOTHING


def _chosen(look: Look, close: Reading, page: Reading) -> Reading:
    """Of the readings from close and from afar of a large picture the one to trust; `look` is the close one."""
    if page.empty or close.empty:
        return page if close.empty else close
    if _is_broken_up(close, page):
        return close
    more = len(page.digits) >= len(close.digits) + MORE and _mean(page) > READ and not look.framed
    as_many = close.unsure and len(page.digits) >= len(close.digits)
    if more or (look.coarse and (as_many or not page.unsure)):
        return page
    likely = len(close.digits) == 1 and close.confidence >= NOTHING  # a digit, if not a sure one
    if not close.unsure or _same_places(close, page) or (page.unsure and likely):
        return close
    return page if not page.unsure or _mean(page) > _mean(close) else close


def _is_broken_up(close: Reading, page: Reading) -> bool:
    """Whether the digits from afar are pieces of the one digit from close, whose strokes are too thick for a page."""
    if len(close.digits) != 1 or len(page.digits) == 1 or close.confidence < NOTHING:
        return False
    left, top, right, bottom = close.digits[0].box
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (digit.box for digit in page.digits)]
    return all(left <= x <= right and top <= y <= bottom for x, y in middles)


def _mean(reading: Reading) -> float:
    """The mean confidence of the digits; 0 if there are none."""
    return float(np.mean([digit.confidence for digit in reading.digits] or [0]))


def _same_places(one: Reading, other: Reading) -> bool:
    """Whether both readings have the same digits, by their boxes."""
    if list(map(len, one.lines)) != list(map(len, other.lines)):
        return False
    pairs = zip(one.digits, other.digits, strict=True)
    return all(_shared(first.box, second.box) >= SAME for first, second in pairs)


def _shared(one: Box, other: Box) -> float:
    """The area that two boxes share, as a fraction of the larger box."""
    return overlap(one, other) / max((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
