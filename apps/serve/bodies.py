"""Bodies of requests: read whole into memory, bounded in size, in time, and in their sum."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.serve.refusals import CLOSE, RETRY, RefusedError, refusal
from apps.serve.settings import Limits


class Bodies:
    """ASGI middleware: the application gets the whole body in its first message."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        """One instance counts the bytes of all requests of this process."""
        self.app, self._limits, self._held = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, or refuse it: 408, 413 or 503. Nothing happens where the client is gone."""
        body = bytearray()
        try:
            self._check_size(int(Headers(scope=scope).get("content-length", 0)))
            whole = await self._collect(body, receive)
        except RefusedError as error:
            await refusal(scope["path"], error.status, str(error), error.headers)(scope, receive, send)
        else:
            if whole:
                await self.app(scope, _first(body, receive), send)
        finally:
            self._held -= len(body)

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise RefusedError(413, f"expected a body of at most {self._limits.body_bytes:,} bytes, found more", CLOSE)

    async def _collect(self, body: bytearray, receive: Receive) -> bool:
        """Fill `body`; False where the client went away before the end."""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    self._held += len(message.get("body", b""))
                    self._check_size(len(body))
                    self._check_held()
                    if not message.get("more_body", False):
                        return True
                return False
        except TimeoutError:
            line = f"expected the body within {self._limits.body_seconds:g} s, found {len(body):,} bytes"
            raise RefusedError(408, line, CLOSE) from None

    def _check_held(self) -> None:
        if self._held > self._limits.held_bytes:
            line = f"expected at most {self._limits.held_bytes:,} bytes of bodies at once, found more"
            raise RefusedError(503, line, CLOSE | RETRY)


def _first(body: bytearray, receive: Receive) -> Receive:
    """A `receive` that gives `body` first."""
    messages: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def receive_first() -> Message:
        return messages.pop() if messages else await receive()

    return receive_first
