"""Who may ask: no page of another origin, and nobody without the token where there is one."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.serve.settings import CLOSE

OPEN = ("/", "/style.css", "/script.js", "/openapi.json", "/metrics", "/health")  # without a token


class AccessMiddleware:
    """Answers 401 and 403 itself, before any of the body is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        """Args: the application; the token that requests must carry, none where empty."""
        self.app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or refuse it."""
        await (self._refusal(scope["path"], Headers(scope=scope)) or self.app)(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        host, origins = headers["host"].lower(), headers.getlist("origin")
        if any(origin.partition("://")[2].lower() != host for origin in origins):
            line = f"expected a page of {host[:100]}, found one of {', '.join(origins)[:100]!r}"
            return JSONResponse({"detail": line}, 403, CLOSE)
        if self._token and path not in OPEN and not self._knows(headers.get("authorization", "")):
            line = "expected the header `Authorization: Bearer TOKEN`"
            return JSONResponse({"detail": line}, 401, CLOSE | {"WWW-Authenticate": "Bearer"})
        return None

    def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._token)
