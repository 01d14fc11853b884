"""The page to draw on, the page about the API, and its metrics."""

from html import escape
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.serve.refusals import RefusedError
from apps.serve.watch import Metrics

FOLDER = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/script.js": ("script.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes(metrics: Metrics) -> APIRouter:
    """The page's three files, /docs and /metrics; none of them asks another host for anything."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/style.css")
    @router.get("/script.js")
    async def page(request: Request) -> Response:
        name, kind = FILES[request.url.path]
        try:
            return Response((FOLDER / name).read_bytes(), headers=HEADERS, media_type=kind)
        except OSError:
            raise RefusedError(404, f"expected the page's {name}, found no such file", HEADERS) from None

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return HTMLResponse(described(request.app.openapi()), headers=HEADERS)

    @router.get("/metrics")
    async def counted() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def described(schema: dict) -> str:
    """The routes of an OpenAPI document as plain HTML."""
    rows = "".join(
        f"<dt><code>{method.upper()} {escape(path)}</code></dt><dd>{escape(route.get('description', ''))}</dd>"
        for path, methods in schema["paths"].items()
        for method, route in methods.items()
    )
    title = escape(schema["info"]["title"])
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
    return f'{head}<p>Requests and answers, field by field: <a href="/openapi.json">openapi.json</a></p><dl>{rows}</dl>'
