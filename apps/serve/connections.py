"""Connections: uvicorn's, which wait for ever and for any number of bytes, with limits."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.serve.settings import Limits

REFUSED = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
HEADERS = 100  # of one request, as Apache has it; each takes ten times its bytes in memory
PIPELINE = 16  # requests that a client may send before it reads the first answer


class Connection(HttpToolsProtocol):
    """One client. It is cut off when it is slow, and earlier when it waits while too many others come."""

    def __init__(self, *arguments: Any, limits: Limits, **names: Any) -> None:
        """Args: uvicorn's; and the limits."""
        super().__init__(*arguments, **names)
        self.limits = limits
        self.since = self.loop.time()  # of the wait for the next request
        self._extra_bytes = 0  # of a head, a chunk's head or a trailer: those that are no body
        self._lingers = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """No whole request of this client is waiting for its answer."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the client on; where there are too many, the one that has idled longest goes."""
        super().connection_made(transport)
        self._allow(self.limits.head_seconds)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def _make_room(self) -> None:
        alive = [other for other in self.connections if not other.transport.is_closing()]
        if len(alive) > self.limits.connections:
            idle = [other for other in alive if isinstance(other, Connection) and other.idle]
            min(idle, key=lambda other: other.since).transport.abort()  # at the worst this one, which is new

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless nobody wants it any more."""
        if self._lingers or self.transport.is_closing():
            return
        self._extra_bytes += len(data)
        super().data_received(data)
        if self._extra_bytes > self.limits.head_bytes and not self.transport.is_closing():
            self.transport.write(REFUSED)
            self.transport.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header or, after the body, a trailer."""
        if len(self.headers) >= HEADERS:
            raise ValueError("expected fewer headers")  # the parser makes 400 of it
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: the request starts, and its answer may take longer."""
        if len(self.pipeline) >= PIPELINE:
            raise ValueError("expected fewer requests at once")
        super().on_headers_complete()
        self.cycle.transport = Gentle(self)  # type: ignore[assignment]
        self._extra_bytes = 0
        self._allow(self.limits.answer_seconds)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, whose size the application limits."""
        self._extra_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next byte belongs to the next head."""
        self._extra_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written; the client has as long to take it and ask again as a new one has."""
        super().on_response_complete()
        self.since = self.loop.time()
        if self._lingers:
            self._allow(self.limits.linger_seconds)
        else:
            self._allow(self.limits.head_seconds if self.cycle.response_complete else self.limits.answer_seconds)

    def _allow(self, seconds: float) -> None:
        """Cut the connection off after `seconds`, unless called again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def close_gently(self) -> None:
        """Close. A client that is still sending gets time to read its answer, which a reset would destroy."""
        if self.cycle.more_body and self.transport.can_write_eof():
            self._lingers = True
            self.transport.write_eof()
        else:
            self.transport.close()


class Gentle:
    """What an answer sees of the transport: it ends the connection gently."""

    def __init__(self, connection: Connection) -> None:
        """Args: the connection that the answer goes to."""
        self._transport = connection.transport
        self.write, self.is_closing = self._transport.write, self._transport.is_closing
        self.close = connection.close_gently
