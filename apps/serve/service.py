"""The service: its routes, and around them what watches, guards and limits."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from apps.serve import pages, protocol, reading
from apps.serve.bodies import Bodies
from apps.serve.gate import Gate
from apps.serve.refusals import RefusedError, refusal
from apps.serve.settings import Settings
from apps.serve.turns import Turns
from apps.serve.watch import Metrics, Watch
from mnist_reader.reader import Reader


def create(settings: Settings) -> ASGIApp:
    """Load the model and build the application; the same in each worker.

    Raises:
        ClassifierError, AboutError: see `mnist_reader.reader.Reader`.
    """
    reader, metrics, turns = Reader(settings.model), Metrics(), Turns(settings.limits)
    app = FastAPI(
        title=f"{reader.about.title}: reading pictures", version=reader.about.version, docs_url=None, redoc_url=None
    )
    desk = reading.Desk(reader, turns, settings.limits, metrics)
    routers = (reading.routes(desk), protocol.routes(reader, turns), pages.routes(metrics))
    for router in routers:
        app.include_router(router)
    protocol.document(app)
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)
    paths = {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}
    return Watch(Gate(Bodies(app, settings.limits), settings), metrics, paths)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(request.url.path, error.status, str(error), error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    line = f"{error.detail}: {request.method} {request.url.path[:200]}"
    return refusal(request.url.path, error.status_code, line, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"][1:]))
    return refusal(request.url.path, 422, f"{where}: {first['msg']}, found {first.get('input')!r:.100}")


async def _unforeseen(request: Request, error: Exception) -> Response:
    return refusal(request.url.path, 500, "the service failed at this request; its log says why")


ANSWERS = {
    RefusedError: _refused,
    HTTPException: _http,
    RequestValidationError: _invalid,
    Exception: _unforeseen,  # Watch logs it
}
