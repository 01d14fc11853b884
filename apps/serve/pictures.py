"""The pictures in a request, and what they say."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from contextlib import suppress

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from apps.serve.bodies import RequestBodies
from apps.serve.jobs import Job, Outcome
from apps.serve.lanes import Lane, Worker, WorkerError
from apps.serve.settings import RETRY, Limits
from apps.serve.telemetry import Metrics

QUICK_BYTES = 2**20  # of a body or a file in a form; the process that reads it looks whether the picture is small
UNREADABLE = 422  # the status where a form or a picture cannot be read
SLICE = 2**18  # bytes of a form that are taken apart between two steps of the event loop, in a few milliseconds
TEXTS = ("application/json", "text/plain")  # which hold a picture in base64
Upload = tuple[str | None, bytes]  # the file's name in a form, and its content


class FormParser(MultiPartParser):
    """Starlette's, which writes files above this many bytes to disk: here none, as bodies are smaller."""

    spool_max_size = 2**30


class PictureReader:
    """Reads the pictures of all requests: at a time one quick and one slow one, which do not wait for each other."""

    def __init__(self, quick: Worker, slow: Worker, limits: Limits, metrics: Metrics) -> None:
        """Args: who reads quick pictures; and slow ones; how much; where to count."""
        self._limits, self._metrics, self._bodies = limits, metrics, RequestBodies(limits)
        self._quick = Lane(quick, math.inf, limits.wait_seconds)
        self._slow = Lane(slow, limits.waiting, limits.wait_seconds)

    async def read(self, request: Request, images: bool) -> bytes:
        """The answer to a request: the JSON of `Readings`.

        Raises:
            HTTPException: 408, 413, 503; 422, the form or the only picture cannot be read.
        """
        seconds = self._limits.request_seconds
        try:
            async with asyncio.timeout(seconds), self._bodies.received(request) as body:
                return b'{"readings":[' + b",".join(await self._read_body(request.headers, body, images)) + b"]}"
        except TimeoutError:
            raise HTTPException(503, f"expected to answer within {seconds:g} s, found more to do", RETRY) from None

    async def _read_body(self, headers: Headers, body: bytes, images: bool) -> list[bytes]:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("multipart/"):
            return [await self._read_one(Job(body, kind if kind in TEXTS else "", None, images, quick=True))]
        uploads, readings = await form_files(headers, body, self._limits.files), []
        for file, content in uploads:
            try:
                readings.append(await self._read_one(Job(content, "", file, images, quick=True)))
            except HTTPException as error:
                if error.status_code != UNREADABLE or len(uploads) == 1:
                    raise
                readings.append(json.dumps({"file": file, "error": error.detail}).encode())
        return readings

    async def _read_one(self, job: Job) -> bytes:
        outcome, content = await self._outcome(job)
        if outcome is Outcome.REFUSED:
            raise HTTPException(UNREADABLE, content.decode())
        if outcome is Outcome.FAILED:
            raise WorkerError(content.decode())
        self._metrics.read.inc()
        self._metrics.unsure.inc(outcome is Outcome.UNSURE)
        return content

    async def _outcome(self, job: Job) -> tuple[Outcome, bytes]:
        seconds = self._limits.read_seconds
        try:
            if len(job.content) <= QUICK_BYTES:
                with suppress(WorkerError):  # the other lane has the last word
                    outcome, content = await self._quick.run(job, seconds)
                    if outcome is not Outcome.SLOW:
                        return outcome, content
            return await self._slow.run(job._replace(quick=False), seconds)
        except TimeoutError:
            line = f"expected a picture that is read within {seconds:g} s, found one that takes longer"
            raise HTTPException(503, line, RETRY) from None


async def form_files(headers: Headers, body: bytes, most: int) -> list[Upload]:
    """The files in a form.

    Raises:
        HTTPException: 422, no form, no file in it, or more than `most`.
    """
    try:
        form = await FormParser(headers, slices(body), max_files=most, max_fields=most).parse()
    except MultiPartException as error:
        raise HTTPException(UNREADABLE, f"expected a multipart form, found: {error.message[:200]}") from None
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if not files:
        raise HTTPException(UNREADABLE, "expected a form with one file or more, found none")
    return [(file.filename, await file.read()) for file in files]


async def slices(body: bytes) -> AsyncGenerator[bytes, None]:
    """The body in parts, between which others are answered."""
    for start in range(0, max(len(body), 1), SLICE):
        yield body[start : start + SLICE]
        await asyncio.sleep(0)
