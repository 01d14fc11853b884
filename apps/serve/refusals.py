"""Every answer that is not the one that was asked for: a status and one line."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

CLOSE = {"Connection": "close"}
RETRY = {"Retry-After": "1"}  # seconds


class RefusedError(Exception):
    """A request that gets no answer; `status` and the text say why."""

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        """Args: HTTP status; what was expected and found; more headers of the answer."""
        super().__init__(line)
        self.status, self.headers = status, headers


def refusal(path: str, status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer in the form that the clients of `path` read: Open Inference Protocol's `error`, or `detail`."""
    return as_json({"error" if path.startswith("/v2") else "detail": line}, status, headers)


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer in ASCII, so that no text from outside can fail to be encoded."""
    return Response(json.dumps(content), status, headers, "application/json")
