"""Open Inference Protocol v2 of apps.serve, by a client that others wrote and by requests of bytes."""

import json

import numpy as np
import pytest
import requests
import tritonclient.http as triton

from tests.apps.services import ABOUT, WEIGHTS, served, write_model

pytestmark = pytest.mark.slow
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol")
    with served(folder, write_model(folder / "linear.onnx")) as service:
        yield service


@pytest.fixture(scope="module")
def client(service):
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        yield client


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 28, 28, 1), np.float32)


def expected(images):
    logits = images.reshape(-1, 784) @ WEIGHTS
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_triton_finds_the_server_live_and_the_model_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("mnist")
    assert client.is_model_ready("mnist", ABOUT["version"])
    assert not client.is_model_ready("another")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("mnist") == {
        "name": "mnist",
        "versions": [ABOUT["version"]],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 28, 28, 1]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
    }


@pytest.mark.parametrize("binary_input", [False, True])
@pytest.mark.parametrize("binary_output", [False, True])
def test_triton_gets_the_probabilities_that_numpy_computes(client, images, binary_input, binary_output):
    tensor = triton.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images, binary_data=binary_input)
    output = triton.InferRequestedOutput("probabilities", binary_data=binary_output)
    result = client.infer("mnist", [tensor], outputs=[output], request_id="seven")
    assert result.get_response()["id"] == "seven"
    assert ("data" in result.get_response()["outputs"][0]) is not binary_output
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected(images), atol=1e-5)


def test_triton_asks_for_no_output_and_gets_all_in_binary(client, images):
    tensor = triton.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    result = client.infer("mnist", [tensor])
    assert "data" not in result.get_response()["outputs"][0]
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected(images), atol=1e-5)


def test_triton_is_told_what_is_wrong(client):
    tensor = triton.InferInput("image", [1, 8, 8, 1], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(triton.InferenceServerException, match=r"expected shape \[n, 28, 28, 1\]"):
        client.infer("mnist", [tensor])


def test_1000_images_are_answered_in_binary(client):
    many = np.random.default_rng(1).random((1000, 28, 28, 1), np.float32)
    tensor = triton.InferInput("image", list(many.shape), "FP32")
    tensor.set_data_from_numpy(many)
    np.testing.assert_allclose(client.infer("mnist", [tensor]).as_numpy("probabilities"), expected(many), atol=1e-5)


def infer(service, body, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{service.url}/v2/models/mnist/infer", data=body, headers=names, timeout=30)


def test_flat_data_is_json_as_the_protocol_shows_it(service, images):
    tensor = {"name": "image", "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    answer = infer(service, json.dumps({"inputs": [tensor]}))
    assert answer.headers["Content-Type"] == "application/json"
    (output,) = answer.json()["outputs"]
    assert (answer.json()["model_name"], answer.json()["model_version"]) == ("mnist", ABOUT["version"])
    assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [5, 10])
    assert output["data"] == pytest.approx(expected(images).ravel().tolist(), abs=1e-5)


ZEROS = [0.0] * 784
GOOD = {"name": "image", "shape": [1, 28, 28, 1], "datatype": "FP32", "data": ZEROS}


def deep(depth):
    value = 0.0
    for _ in range(depth):
        value = [value]
    return value


def with_input(**changes):
    return json.dumps({"inputs": [GOOD | changes]}).encode()


MALFORMED = {
    "nothing": b"",
    "no JSON": b"\x00\xff{",
    "another value": b"[]",
    "no inputs": b"{}",
    "an empty list": b'{"inputs": []}',
    "two inputs": json.dumps({"inputs": [GOOD, GOOD]}).encode(),
    "another name": with_input(name="images"),
    "another type": with_input(datatype="FP64"),
    "a shape of text": with_input(shape=["1", "28", "28", "1"]),
    "a shape of fractions": with_input(shape=[1.5, 28, 28, 1]),
    "a shape of booleans": with_input(shape=[True, 28, 28, 1]),
    "no shape": with_input(shape=[]),
    "another shape": with_input(shape=[1, 28, 28]),
    "another order": with_input(shape=[1, 1, 28, 28]),
    "a negative shape": with_input(shape=[-1, 28, 28, 1]),
    "no images": with_input(shape=[0, 28, 28, 1], data=[]),
    "a huge shape": with_input(shape=[10**30, 28, 28, 1]),
    "too few values": with_input(data=ZEROS[1:]),
    "too many values": with_input(data=[*ZEROS, 0.0]),
    "no data": with_input(data=None),
    "text": with_input(data=["a"] * 784),
    "nulls": with_input(data=[None] * 784),
    "objects": with_input(data=[{}] * 784),
    "ragged lists": with_input(data=[[0.0], 0.0] * 392),
    "NaN": with_input(data=[float("nan"), *ZEROS[1:]]),
    "infinity": with_input(data=[float("inf"), *ZEROS[1:]]),
    "a huge number": with_input(data=[10**400, *ZEROS[1:]]),
    "grey levels": with_input(data=[255, *ZEROS[1:]]),
    "deep lists": b'{"inputs": ' + b"[" * 100_000,
    "lists deeper than an array": with_input(data=deep(70)),
    "an id of another type": json.dumps({"id": 7, "inputs": [GOOD]}).encode(),
    "an id that is no text": b'{"id": "\\ud800", "inputs": []}',
    "another output": json.dumps({"inputs": [GOOD], "outputs": [{"name": "logits"}]}).encode(),
    "an output of another type": json.dumps({"inputs": [GOOD], "outputs": [7]}).encode(),
    "parameters of another type": with_input(parameters=7),
    "a binary size without bytes": with_input(data=None, parameters={"binary_data_size": 3136}),
    "a negative binary size": with_input(data=None, parameters={"binary_data_size": -3136}),
    "data and binary data": with_input(parameters={"binary_data_size": 0}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_400_and_one_line(service, name):
    answer = infer(service, MALFORMED[name])
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert answer.json()["error"] and "\n" not in answer.json()["error"]


def binary(size, **changes):
    head = {"inputs": [{key: GOOD[key] for key in ("name", "shape", "datatype")} | changes]}
    head["inputs"][0]["parameters"] = {"binary_data_size": size}
    return json.dumps(head).encode()


NANS = np.full(784, np.nan, "<f4").tobytes()
BINARY = {
    "too few bytes": (binary(3136), bytes(3132), None),
    "too many bytes": (binary(3136), bytes(3140), None),
    "another size than the shape's": (binary(3132), bytes(3132), None),
    "a part of a number": (binary(3135), bytes(3135), None),
    "NaN": (binary(3136), NANS, None),
    "a length beyond the body": (binary(3136), bytes(3136), "99999"),
    "a negative length": (binary(3136), bytes(3136), "-1"),
    "a length of text": (binary(3136), bytes(3136), "many"),
    "a length of other digits": (binary(3136), bytes(3136), "²".encode("latin-1")),
    "a length of 0": (binary(3136), bytes(3136), "0"),
    "a length within the JSON": (binary(3136), bytes(3136), "10"),
}


@pytest.mark.parametrize("name", BINARY)
def test_malformed_binary_request_is_400_and_one_line(service, name):
    head, tail, length = BINARY[name]
    answer = infer(service, head + tail, Inference_Header_Content_Length=length or str(len(head)))
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert answer.json()["error"] and "\n" not in answer.json()["error"]


def test_binary_request_is_answered_as_the_extension_says(service):
    head = binary(3136)
    whole = json.loads(head) | {"parameters": {"binary_data_output": True}}
    head = json.dumps(whole).encode()
    answer = infer(service, head + bytes(3136), Inference_Header_Content_Length=str(len(head)))
    size = int(answer.headers[LENGTH])
    (output,) = json.loads(answer.content[:size])["outputs"]
    assert output["parameters"] == {"binary_data_size": 40}
    np.testing.assert_allclose(np.frombuffer(answer.content[size:], "<f4"), np.full(10, 0.1), atol=1e-6)


def test_unknown_model_is_404_in_the_protocols_form(service):
    for path in ("models/another", "models/mnist/versions/9", "models/another/infer"):
        answer = requests.get(f"{service.url}/v2/{path}", timeout=30)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
