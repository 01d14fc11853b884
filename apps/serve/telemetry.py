"""What the service says about itself: metrics, and a line of JSON for each request."""

import json
import sys
import time
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metrics:
    """The counters of one process. Several workers each have their own, because nothing is written to disk."""

    def __init__(self) -> None:
        """All start at 0."""
        self.registry = CollectorRegistry()
        names, mine = ("route", "status"), self.registry
        self.requests = Counter("mnist_requests", "Requests answered.", names, registry=mine)
        self.seconds = Histogram("mnist_request_seconds", "Time from head to answer.", ("route",), registry=mine)
        self.in_flight = Gauge("mnist_requests_in_flight", "Requests that are being answered.", registry=mine)
        self.read = Counter("mnist_pictures_read", "Pictures read.", registry=mine)
        self.unsure = Counter("mnist_pictures_unsure", "Pictures that are unsure or empty.", registry=mine)
        ProcessCollector(registry=mine)


class Telemetry:
    """ASGI middleware around everything else: counts and logs."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str]) -> None:
        """Args: the application; where to count; the paths that metrics name, all others are `other`."""
        self.app, self._metrics, self._routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an error that gets here was answered with 500."""
        start, status, sent, failure = time.perf_counter(), 500, 0, None

        async def send_and_count(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, send_and_count)
            except Exception as error:
                failure = error
        self._note(scope, status, time.perf_counter() - start, sent, failure)

    def _note(self, scope: Scope, status: int, seconds: float, sent: int, failure: Exception | None) -> None:
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._metrics.requests.labels(route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        line: dict[str, Any] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "method": scope["method"]}
        line |= {"path": scope["path"][:200], "status": status, "milliseconds": round(seconds * 1000, 1), "bytes": sent}
        if failure is not None:
            line["error"] = "".join(traceback.format_exception(failure))
        sys.stderr.write(json.dumps(line) + "\n")
