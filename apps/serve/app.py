"""The application: its routes, and around them what counts, checks and limits."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from apps.serve import answers
from apps.serve.access import OPEN, AccessMiddleware
from apps.serve.lanes import Worker
from apps.serve.pictures import PictureReader
from apps.serve.settings import Settings
from apps.serve.telemetry import Metrics, Telemetry

SLOW_NICENESS = 5  # of the process that reads slow pictures; beside a busy service it has a quarter of a processor
PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}  # of the page
FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
BODY = {
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": FILES}}},
        "application/json": {"schema": answers.Picture.model_json_schema()},
        "text/plain": {"schema": answers.Picture.model_json_schema()["properties"]["image"]},
    },
    "required": True,
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Detail, "description": text}
    for status, text in {
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        422: "The only picture, or the body, cannot be read.",
        503: "Too many pictures are waiting, or this one takes too long.",
    }.items()
}


class Page(StaticFiles):
    """The page's files, with headers that shut out other hosts."""

    def file_response(self, *arguments: Any, **names: Any) -> Response:
        """Starlette's, with HEADERS."""
        response = super().file_response(*arguments, **names)
        response.headers.update(HEADERS)
        return response


def create(settings: Settings) -> ASGIApp:
    """Start the processes that read and build the application; the same in each process that serves.

    Raises:
        UserError: the model cannot be used.
    """
    metrics, quick, slow = Metrics(), Worker(settings.model, 0), Worker(settings.model, SLOW_NICENESS)
    about, _ = quick.loaded(), slow.loaded()
    names = ["localhost", "127.0.0.1", "::1", settings.host, *settings.allowed_hosts]
    hosts = [f"[{name}]" if ":" in name else name for name in names]  # as a header has them
    app = FastAPI(
        title=f"{about['title']}: reading pictures",
        version=about["version"],
        docs_url=None,  # FastAPI's page loads scripts of another host
        redoc_url=None,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(AccessMiddleware, token=settings.token),
        ],
        exception_handlers={
            RequestValidationError: _invalid,
            ClientDisconnect: _gone,
            Exception: _unforeseen,
        },
    )
    add_routes(app, PictureReader(quick, slow, settings.limits, metrics), about, metrics)
    return Telemetry(app, metrics, {*OPEN, "/read", "/about"})


def add_routes(app: FastAPI, pictures: PictureReader, about: dict[str, Any], metrics: Metrics) -> None:
    """The API, and the page at every other path."""

    @app.post("/read", response_model=answers.Readings, responses=ERRORS, openapi_extra={"requestBody": BODY})
    async def read(request: Request, images: bool = False) -> Response:
        """Read one picture, which is the body, or several, which are the files of a form.

        PNG, JPEG, WebP, GIF, BMP, TIFF, PPM or AVIF; dark on light or light on dark. A body of JSON or of plain text
        holds the picture in base64 or as a data URL. `images` adds what the model saw.
        """
        return Response(await pictures.read(request, images), media_type="application/json")

    @app.get("/about", response_model=answers.About)
    async def described() -> Response:
        """What the model says about itself: its classes, their licence, and from where on it is sure."""
        return JSONResponse(about)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """The service is ready; needs no token."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def counted() -> Response:
        """Prometheus' counters of this process; needs no token."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.mount("/", Page(directory=PAGE, html=True))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"][1:]))
    return JSONResponse({"detail": f"{where}: {first['msg']}, found {first.get('input')!r:.100}"}, 422)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nginx's, in the log, for a client that left


async def _unforeseen(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": "the service failed at this request; its log says why"}, 500)
