"""What the service answers, as it documents it; `readings` writes it."""

from typing import Literal

from pydantic import BaseModel, Field


class Picture(BaseModel):
    """A picture in a body of JSON."""

    image: str = Field(description="its bytes in base64, or a data URL of them: `data:image/png;base64,…`")


class Digit(BaseModel):
    """One digit (or, with another model, one picture's class)."""

    label: str = Field(description="name of the most likely class")
    confidence: float = Field(description="its probability, 0–1; 0 and unsure where the model gave none")
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
