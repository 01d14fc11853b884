"""Open Inference Protocol v2 over HTTP: the model's own tensors, for clients of KServe and Triton."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from apps.serve.refusals import as_json
from apps.serve.tensors import INPUT, LENGTH, NAME, OUTPUT, InferenceRequest, answer, parse
from apps.serve.turns import Turns
from mnist_reader.reader import Reader

PATH = f"/models/{NAME}"
QUICK = 2**18  # bytes of a request that is answered at once; JSON's values take 30 times as much memory
SCHEMA = "#/components/schemas/{model}"


class ResponseOutput(BaseModel):
    """Probabilities: FP32 `[n, classes]`."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | None = None


class InferenceResponse(BaseModel):
    """The model's answers."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class Tensor(BaseModel):
    """An input or output."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1: any number")


class ModelMetadata(BaseModel):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class Problem(BaseModel):
    """Why a request was refused."""

    error: str


def routes(reader: Reader, turns: Turns) -> APIRouter:
    """The protocol's routes; the model's version may stand in the path."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol v2"])
    version = reader.about.version

    def infer_all(body: bytes, length: str | None) -> Response:
        request, images = parse(body, length, reader.input_spec.shape)
        return answer(request, reader.classifier.infer(images), version)

    @router.get("")
    async def server() -> dict[str, Any]:
        """The server's name, version and extensions."""
        return {"name": "mnist-serve", "version": version, "extensions": ["binary_tensor_data"]}

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        """The process runs."""
        return {"live": True}

    @router.get("/health/ready")
    async def ready() -> dict[str, bool]:
        """The model is loaded."""
        return {"ready": True}

    for path in (PATH, f"{PATH}/versions/{version}"):
        documented = path == PATH

        @router.get(path, include_in_schema=documented, response_model=ModelMetadata)
        async def metadata() -> Response:
            """The names, types and shapes of the model's tensors."""
            one, other = [-1, *reader.input_spec.shape, 1], [-1, len(reader.about.classes)]
            tensors = {"inputs": (INPUT, one), "outputs": (OUTPUT, other)}
            ports = {key: [{"name": n, "datatype": "FP32", "shape": s}] for key, (n, s) in tensors.items()}
            return as_json({"name": NAME, "versions": [version], "platform": "onnxruntime_onnx"} | ports)

        @router.get(f"{path}/ready", include_in_schema=documented)
        async def model_ready() -> dict[str, Any]:
            """The model can be asked."""
            return {"name": NAME, "ready": True}

        @router.post(
            f"{path}/infer",
            include_in_schema=documented,
            response_model=InferenceResponse,
            response_model_exclude_none=True,
            responses={400: {"model": Problem}, 503: {"model": Problem}},
            openapi_extra={
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": SCHEMA.format(model="InferenceRequest")}}},
                    "required": True,
                }
            },
        )
        async def infer(request: Request) -> Response:
            """Probabilities of images that are prepared already, 0 = paper, 1 = ink."""
            body, length = await request.body(), request.headers.get(LENGTH)
            take = turns.quick if len(body) <= QUICK else turns.slow
            return await take(infer_all, body, length)

    return router


def document(app: FastAPI) -> None:
    """Add the request, which FastAPI does not parse itself, to the OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        _, definitions = models_json_schema([(InferenceRequest, "validation")], ref_template=SCHEMA)
        schema["components"]["schemas"] |= definitions["$defs"]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
