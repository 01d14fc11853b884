"""The JSON of a reading, as the service documents it."""

import base64
import io
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

import mnist_reader
from mnist_reader.core.errors import WIDTH, first_line
from mnist_reader.picture import PictureError

PNG = "data:image/png;base64,"


class Picture(BaseModel):
    """A picture in a body of JSON."""

    image: str = Field(description="its bytes in base64, or a data URL of them: `data:image/png;base64,…`")


class Digit(BaseModel):
    """One digit (or, with another model, one picture's class)."""

    label: str = Field(description="name of the most likely class")
    confidence: float = Field(description="its probability, 0–1")
    second: str = Field(description="name of the next most likely class")
    second_confidence: float
    unsure: bool = Field(description="perhaps no class: below the threshold, or doubtful for its shape and place")
    line: int = Field(description="number of its line, from 0 at the top")
    mark: str = Field(description="`.` or `,` where such a mark stands between it and the next digit, else empty")
    box: tuple[float, float, float, float] = Field(
        description="left, top, right, bottom, as fractions 0–1 of the picture as it is shown, turned as EXIF says"
    )
    pixels: tuple[int, int, int, int] = Field(description="the same in pixels")
    probabilities: dict[str, float] = Field(description="of each class, by name")
    image: str | None = Field(None, description="with `?images=1`: what the model saw, as a PNG's data URL")


class Reading(BaseModel):
    """What one picture says."""

    file: str | None = Field(description="name of the file in a form")
    text: str = Field(description="the labels, with their marks; a line of text for each line of digits")
    confidence: float = Field(description="probability that all of them are right, 0–1; 0 where there are none")
    unsure: bool = Field(description="a digit is unsure, there are none, or lines of something else as well")
    empty: bool = Field(description="there is nothing to read")
    turned: Literal[0, 90, 180, 270] = Field(
        description="degrees, clockwise, by which the picture had to be turned to be read"
    )
    digits: list[Digit] = Field(description="line after line, each from left to right")


class Unread(BaseModel):
    """A picture, among several, that cannot be read."""

    file: str | None
    error: str = Field(description="one line: what was expected and found")


class Readings(BaseModel):
    """One answer for each picture, in order."""

    readings: list[Reading | Unread]


class About(BaseModel):
    """What the model says about itself."""

    title: str
    licence: str
    classes: list[str]
    preparation: str = Field(description="ink: digits are cut out and centred; fit: the whole picture is taken")
    threshold: float = Field(description="a largest probability below this is unsure, 0–1")
    version: str


class Detail(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one line: what was expected and found")


def reading(read: mnist_reader.Reading, classes: tuple[str, ...], file: str | None, images: bool) -> dict[str, Any]:
    """What `mnist_reader` read, as the plain values of a `Reading`: checking them against the class takes longer."""
    return {
        "file": file,
        "text": read.text,
        "confidence": read.confidence,
        "unsure": read.unsure,
        "empty": read.empty,
        "turned": read.turned,
        "digits": [digit(one, line, classes, images) for line, row in enumerate(read.lines) for one in row],
    }


def digit(read: mnist_reader.Digit, line: int, classes: tuple[str, ...], images: bool) -> dict[str, Any]:
    """One of its digits as the plain values of a `Digit`."""
    values = {
        "label": read.label,
        "confidence": read.confidence,
        "second": read.second,
        "second_confidence": read.second_confidence,
        "unsure": read.unsure,
        "line": line,
        "mark": read.mark,
        "box": [float(side) for side in read.box],
        "pixels": list(read.pixels),
        "probabilities": dict(zip(classes, read.probabilities, strict=True)),
    }
    return values | {"image": data_url(read.image)} if images else values


def error_line(error: PictureError) -> str:
    """What an answer says of a picture that cannot be read."""
    return first_line(error)[:WIDTH]


def data_url(image: np.ndarray) -> str:
    """`uint8` `(rows, columns)` as a PNG inside a URL: light ink on black, as the model has it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return PNG + base64.b64encode(file.getvalue()).decode()
