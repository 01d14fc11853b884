"""Bodies of requests: received whole into memory, bounded in size, in time, and in their sum."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from apps.serve.settings import CLOSE, RETRY, Limits

SMALL = 2**16  # bytes of a body that are taken even where too many are held, so that small pictures are read
DISCARDED = 10  # times the largest body: so much of a refused one is received, as clients send all before they read


class RequestBodies:
    """Counts the bytes of all bodies that this process holds."""

    def __init__(self, limits: Limits) -> None:
        """Nothing is held yet."""
        self._limits, self._held = limits, 0

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body of a request.

        Raises:
            HTTPException: 408, 413 or 503.
        """
        body, size = bytearray(), 0
        try:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    await self._fill(body, request)
            except TimeoutError:
                line = f"expected the body within {self._limits.body_seconds:g} s, found {len(body):,} bytes"
                raise HTTPException(408, line, CLOSE) from None
            content, size = bytes(body), len(body)
            body.clear()
            yield content
        finally:
            self._held -= size
            self._release(body)

    async def _fill(self, body: bytearray, request: Request) -> None:
        most, size, length = DISCARDED * self._limits.body_bytes, 0, int(request.headers.get("content-length", 0))
        refusal = self._refusal(length)
        if refusal and length > most:
            raise refusal
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            refusal = refusal or self._refusal(size, len(chunk))
            if refusal is None:
                body += chunk
                self._held += len(chunk)
            else:
                self._release(body)
                more = more and size <= most
            del message, chunk  # up to 256 KiB, which would be held until the next ones arrive
        if refusal:
            raise refusal

    def _refusal(self, size: int, more: int = 0) -> HTTPException | None:
        limits = self._limits
        if size > limits.body_bytes:
            return HTTPException(413, f"expected a body of at most {limits.body_bytes:,} bytes, found more", CLOSE)
        if size > SMALL and self._held + more > limits.held_bytes:
            line = f"expected at most {limits.held_bytes:,} bytes of bodies at once, found more"
            return HTTPException(503, line, CLOSE | RETRY)
        return None

    def _release(self, body: bytearray) -> None:
        self._held -= len(body)
        body.clear()
