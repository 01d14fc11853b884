"""The pictures in a request, and what they say."""

import asyncio
import re
from contextlib import suppress
from typing import Any

from fastapi import HTTPException, Request
from pydantic import ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from apps.serve import answers
from apps.serve.bodies import RequestBodies
from apps.serve.settings import Limits
from apps.serve.telemetry import Metrics
from apps.serve.work_queue import WorkQueue
from mnist_reader import Reader
from mnist_reader.picture import PictureError, from_data_url, open_image

QUICK_PIXELS = 100_000  # of a picture that is read between two steps of the event loop, a row in 20 ms
QUICK_BYTES = 2**20  # of its file
Upload = tuple[str | None, bytes]  # the file's name in a form, and its content


class FormParser(MultiPartParser):
    """Starlette's, which writes files above this many bytes to disk: here none, as bodies are smaller."""

    spool_max_size = 2**30


class PictureReader:
    """Reads the pictures of all requests, one at a time."""

    def __init__(self, reader: Reader, limits: Limits, metrics: Metrics) -> None:
        """Args: what reads; how much; where to count."""
        self.reader, self._limits, self._metrics = reader, limits, metrics
        self._bodies, self._queue = RequestBodies(limits), WorkQueue(limits)

    async def read(self, request: Request, images: bool) -> list[dict[str, Any]]:
        """The answer to each picture of a request.

        Raises:
            HTTPException: 408, 413, 503; 422, the form cannot be read.
            PictureError: the only picture cannot be read.
        """
        async with self._bodies.received(request) as body:
            uploads, readings = await body_pictures(request.headers, body, self._limits.files), []
            for file, content in uploads:
                try:
                    readings.append(await self._read_one(content, file, images))
                except PictureError as error:
                    if len(uploads) == 1:
                        raise
                    readings.append({"file": file, "error": answers.error_line(error)})
                if len(uploads) > 1:
                    await asyncio.sleep(0)  # so that others are answered between two pictures
            return readings

    async def _read_one(self, content: bytes, file: str | None, images: bool) -> dict[str, Any]:
        if len(content) <= QUICK_BYTES and pixels(content) <= QUICK_PIXELS:
            reading = self.reader.read(content, printable(file))
        else:
            reading = await self._queue.run(self.reader.read, content, printable(file))
        self._metrics.read.inc()
        self._metrics.unsure.inc(reading.unsure)
        return answers.reading(reading, self.reader.about.classes, file, images)


async def body_pictures(headers: Headers, body: bytes, most: int) -> list[Upload]:
    """The pictures in a body, as its content type says: a form of at most `most`, JSON, text, or the picture itself.

    Raises:
        HTTPException: see `form_files`.
        PictureError: the JSON or the base64 cannot be read.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return await form_files(headers, body, most)
    if kind not in ("application/json", "text/plain"):
        return [(None, body)]
    text = json_image(body) if kind == "application/json" else body.decode("latin-1")
    text = text.replace("\r", "").replace("\n", "").strip()  # many encoders break lines
    return [(None, from_data_url(text if text.startswith("data:") else answers.PNG + text, "picture"))]


def json_image(body: bytes) -> str:
    """The picture's text in a body of JSON.

    Raises:
        PictureError: not an object with `image`, or one that holds another, because many would take much memory.
    """
    if body.count(b"{") == 1 and b"[" not in body:
        with suppress(ValidationError):
            return answers.Picture.model_validate_json(body).image
    raise PictureError(f'picture: expected JSON such as {{"image": "base64"}}, found {body[:20]!r}…')


async def form_files(headers: Headers, body: bytes, most: int) -> list[Upload]:
    """The files in a form.

    Raises:
        HTTPException: 422, no form, no file in it, or more than `most`.
    """

    async def stream():
        yield body

    try:
        form = await FormParser(headers, stream(), max_files=most, max_fields=most).parse()
    except MultiPartException as error:
        raise HTTPException(422, f"expected a multipart form, found: {error.message[:200]}") from None
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if not files:
        raise HTTPException(422, "expected a form with one file or more, found none")
    return [(file.filename, await file.read()) for file in files]


def printable(file: str | None) -> str:
    """What errors call a picture."""
    return "".join(char if char.isprintable() else "?" for char in file[:100]) if file else "picture"


def pixels(content: bytes) -> int:
    """How many pixels a picture has, from its header; 0 where it has none that the reader would read."""
    if re.match(rb"P[0-6fy]", content):  # PPM: Pillow reads its header byte by byte, however long
        return len(content) * 8  # at most: one bit each
    try:
        with open_image(content, "picture") as image:
            return image.width * image.height
    except Exception:  # whatever Pillow stumbles over; the reader says what is wrong
        return 0
