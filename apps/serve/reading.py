"""POST /read and GET /about: pictures in, what they say out."""

import io
import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from PIL import Image

from apps.serve import answers, forms
from apps.serve.refusals import RefusedError, as_json
from apps.serve.settings import Limits
from apps.serve.turns import Turns
from apps.serve.watch import Metrics
from mnist.core.errors import WIDTH, first_line
from mnist_reader.picture import FORMATS, PictureError
from mnist_reader.reader import Reader

BODY = {
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
    },
    "required": True,
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Detail, "description": text}
    for status, text in {
        413: "The body is too large.",
        422: "The only picture, or the form, cannot be read.",
        503: "Too many pictures are waiting; try again.",
    }.items()
}


class Desk:
    """Reads the pictures of all requests, each when its turn comes."""

    def __init__(self, reader: Reader, turns: Turns, limits: Limits, metrics: Metrics) -> None:
        """Args: what reads; when; how much; where to count."""
        self.reader, self.turns, self._limits, self._metrics = reader, turns, limits, metrics

    async def uploads(self, request: Request) -> Sequence[tuple[str | None, bytes]]:
        """The pictures in a request: one that is its body, or those of its form."""
        body, kind = await request.body(), request.headers.get("content-type", "")
        if not kind.lower().startswith("multipart/"):
            return [(None, body)]
        take = self.turns.quick if len(body) <= self._limits.quick_bytes else self.turns.slow
        return await take(forms.files, body, kind, self._limits.files)

    async def read(self, content: bytes, file: str | None, images: bool) -> dict[str, Any]:
        """The answer to one picture.

        Raises:
            PictureError: it cannot be read.
            RefusedError: 503, too many wait.
        """
        take = self.turns.quick if self._is_quick(content) else self.turns.slow
        reading = await take(self.reader.read, content, printable(file))
        self._metrics.read.inc()
        self._metrics.unsure.inc(reading.unsure)
        return answers.reading(reading, self.reader.about.classes, file, images)

    def _is_quick(self, content: bytes) -> bool:
        return len(content) <= self._limits.quick_bytes and pixels(content) <= self._limits.quick_pixels

    async def read_or_say(self, content: bytes, file: str | None, images: bool) -> dict[str, Any]:
        """The answer to one picture of several, or an `Unread`."""
        try:
            return await self.read(content, file, images)
        except PictureError as error:
            return {"file": file, "error": first_line(error)[:WIDTH]}


def pixels(content: bytes) -> int:
    """How many pixels a picture has, from its header; 0 where it has none that the reader would read."""
    if re.match(rb"P[0-6fy]", content):  # PPM: Pillow reads its header byte by byte, however long
        return len(content) * 8  # at most: one bit each
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.width * image.height
    except Exception:  # whatever Pillow stumbles over; the reader says what is wrong
        return 0


def routes(desk: Desk) -> APIRouter:
    """The two routes."""
    router = APIRouter(tags=["reading"])

    @router.post("/read", response_model=answers.Readings, responses=REFUSALS, openapi_extra={"requestBody": BODY})
    async def read(request: Request, images: bool = False) -> Response:
        """Read one picture, which is the body, or several, which are the files of a form.

        PNG, JPEG, WebP, GIF, BMP, TIFF, PPM or AVIF; dark on light or light on dark. `images` adds what the model saw.
        """
        uploads = await desk.uploads(request)
        if len(uploads) > 1:
            return as_json({"readings": [await desk.read_or_say(body, file, images) for file, body in uploads]})
        ((file, body),) = uploads
        try:
            return as_json({"readings": [await desk.read(body, file, images)]})
        except PictureError as error:
            raise RefusedError(422, first_line(error)[:WIDTH]) from None

    @router.get("/about", response_model=answers.About)
    async def about() -> Response:
        """What the model says about itself: its classes, their licence, and from where on it is sure."""
        return as_json(desk.reader.about._asdict())

    return router


def printable(file: str | None) -> str:
    """What errors call a picture."""
    return "".join(char if char.isprintable() else "?" for char in file[:100]) if file else "picture"
