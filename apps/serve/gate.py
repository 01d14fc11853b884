"""Who may ask: no page of another origin, no foreign host name, and nobody without the token where there is one."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.serve.refusals import CLOSE, RefusedError, refusal
from apps.serve.settings import Settings

OPEN = ("/", "/style.css", "/script.js", "/metrics", "/v2/health/live", "/v2/health/ready")  # without a token


class Gate:
    """ASGI middleware that answers 400, 401 and 403 itself, before any of the body is read."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Args: what is behind the gate; whose names and token to check."""
        self.app = app
        self._hosts = {"localhost", "127.0.0.1", "::1", settings.host.lower(), *map(str.lower, settings.allowed_hosts)}
        self._token = settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or refuse it."""
        try:
            self._check(scope["path"], Headers(scope=scope))
        except RefusedError as error:
            headers = CLOSE | dict(error.headers or {})
            await refusal(scope["path"], error.status, str(error), headers)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._hosts:
            raise RefusedError(400, f"expected a Host that is served here, found {', '.join(hosts)[:100]!r}")
        if any(netloc(origin) != hosts[0].lower() for origin in origins):
            raise RefusedError(403, f"expected a page of {hosts[0]}, found one of {', '.join(origins)[:100]!r}")
        if self._token and path not in OPEN and not self._knows(headers.get("authorization", "")):
            raise RefusedError(401, "expected the header `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"})

    def _knows(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._token)


def netloc(origin: str) -> str:
    """Host and port of an origin, in lower case; empty for `null` and what is no origin."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[
        return ""


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without the port and an IPv6 address's brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Nothing outside this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
