"""Open Inference Protocol v2: a request's bytes → images, and probabilities → the response, in JSON or in binary.

Source: the protocol's REST API, github.com/kserve/open-inference-protocol, and Triton's extension for binary tensors,
github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""

import json
import math
from typing import Any

import numpy as np
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.serve.refusals import RefusedError, as_json
from mnist.core.errors import first_line
from mnist_reader.core.pixels import Shape

NAME, INPUT, OUTPUT = "mnist", "image", "probabilities"
LENGTH = "Inference-Header-Content-Length"  # bytes of JSON before the binary tensors
BINARY = np.dtype("<f4")


class Strict(BaseModel):
    """Takes no value for another one's type."""

    model_config = ConfigDict(strict=True)


class InputParameters(Strict):
    """Of the extension for binary tensors."""

    binary_data_size: int | None = None


class OutputParameters(Strict):
    """Of the extension for binary tensors."""

    binary_data: bool | None = None


class RequestParameters(Strict):
    """Of the extension for binary tensors."""

    binary_data_output: bool = False


class RequestInput(Strict):
    """Images: FP32, 0–1, 0 = paper."""

    name: str
    shape: list[int] = Field(description="[n, rows, columns, 1]")
    datatype: str = Field(description="FP32")
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = Field(None, description="nested or flat; left out where the tensor is binary")


class RequestOutput(Strict):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters = OutputParameters()


class InferenceRequest(Strict):
    """Images to classify."""

    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: list[RequestInput]
    outputs: list[RequestOutput] = []


def parse(body: bytes, length: str | None, shape: Shape) -> tuple[InferenceRequest, np.ndarray]:
    """The request and its images, float32 `(n, *shape, 1)` in 0–1.

    Raises:
        RefusedError: 400, anything but one input of that name, type, shape and range.
    """
    size = header_size(body, length)
    try:
        request = InferenceRequest.model_validate_json(body[:size])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise RefusedError(400, f"{where}: {first['msg']}"[:300]) from None
    if [one.name for one in request.inputs] != [INPUT]:
        raise RefusedError(400, f"inputs: expected one, {INPUT}, found {[one.name[:50] for one in request.inputs][:5]}")
    if unknown := [one.name[:50] for one in request.outputs if one.name != OUTPUT]:
        raise RefusedError(400, f"outputs: expected {OUTPUT}, found {unknown[0]}")
    images = _images(request.inputs[0], body[size:], [*shape, 1])
    if not ((images >= 0) & (images <= 1)).all():  # NaN is neither
        raise RefusedError(400, f"{INPUT}: expected values in 0–1, found others")
    return request, images


def header_size(body: bytes, length: str | None) -> int:
    """How many bytes of the body are JSON; `length` is what LENGTH says."""
    if length is None:
        return len(body)
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= len(body)):
        raise RefusedError(400, f"{LENGTH}: expected at most {len(body)}, found {length[:20]!r}")
    return int(length)


def _images(tensor: RequestInput, binary: bytes, shape: list[int]) -> np.ndarray:
    if tensor.datatype != "FP32":
        raise RefusedError(400, f"{INPUT}: expected datatype FP32, found {tensor.datatype[:20]}")
    if tensor.shape[1:] != shape or not 1 <= tensor.shape[0] < 2**20:
        raise RefusedError(400, f"{INPUT}: expected shape [n, {shape[0]}, {shape[1]}, 1], found {tensor.shape[:8]}")
    values = _from_json(tensor) if tensor.parameters.binary_data_size is None else _from_bytes(tensor, binary)
    if values.size != math.prod(tensor.shape):
        raise RefusedError(400, f"{INPUT}: expected {math.prod(tensor.shape):,} values, found {values.size:,}")
    return values.reshape(tensor.shape)


def _from_json(tensor: RequestInput) -> np.ndarray:
    try:
        return np.asarray(tensor.data if tensor.data is not None else [], np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise RefusedError(400, f"{INPUT}: expected numbers, found: {first_line(error)[:200]}") from None


def _from_bytes(tensor: RequestInput, binary: bytes) -> np.ndarray:
    size = tensor.parameters.binary_data_size
    if tensor.data is not None or size != len(binary) or len(binary) % BINARY.itemsize:
        raise RefusedError(400, f"{INPUT}: expected binary_data_size to be the {len(binary):,} bytes, found {size}")
    return np.frombuffer(binary, BINARY)


def answer(request: InferenceRequest, probabilities: np.ndarray, version: str) -> Response:
    """The response, with the tensor in JSON or behind it."""
    asked = request.outputs[0].parameters.binary_data if request.outputs else None
    binary = request.parameters.binary_data_output if asked is None else asked
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(probabilities.shape)}
    content: dict[str, Any] = {"model_name": NAME, "model_version": version, "outputs": [output]}
    content |= {} if request.id is None else {"id": request.id}
    if not binary:
        output["data"] = probabilities.ravel().tolist()
        return as_json(content)
    tail = probabilities.astype(BINARY).tobytes()
    output["parameters"] = {"binary_data_size": len(tail)}
    head = json.dumps(content).encode()
    return Response(head + tail, headers={LENGTH: str(len(head))}, media_type="application/octet-stream")
