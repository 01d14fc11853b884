"""python -m apps.serve, as a user runs it: pictures in, answers out, started and stopped."""

import base64
import concurrent.futures
import gzip
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from tests.apps.services import ABOUT, PAGE, WEIGHTS, bar, eventually, post, served, status, write_model
from tests.clones import ROOT
from tests.tools import find

pytestmark = pytest.mark.slow
not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix's signals, shell or sockets")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of the service in /proc")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "linear.onnx")


@pytest.fixture(scope="module")
def service(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("serve"), model) as service:
        yield service


def start(*arguments, **environment):
    command = [sys.executable, "-m", "apps.serve", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_picture_is_read_with_the_probabilities_that_numpy_computes(service):
    answer = service.read(bar(), "?images=1")
    assert answer.status_code == 200
    (reading,) = answer.json()["readings"]
    assert (reading["file"], reading["text"], reading["unsure"]) == (None, "1", False)
    (digit,) = reading["digits"]
    png = base64.b64decode(digit["image"].removeprefix("data:image/png;base64,"))
    logits = np.asarray(Image.open(io.BytesIO(png)), np.float32).reshape(784) / 255 @ WEIGHTS
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(digit["probabilities"]) == ABOUT["classes"]
    assert list(digit["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
    assert digit["confidence"] == reading["confidence"] == max(digit["probabilities"].values())
    left, top, right, bottom = digit["box"]
    assert [left, top, right, bottom] == pytest.approx([0.46, 0.1, 0.55, 0.91], abs=0.02)  # as `bar` draws it
    assert digit["pixels"] == pytest.approx([46, 10, 55, 91], abs=2)
    assert (digit["line"], digit["mark"], reading["turned"], reading["empty"]) == (0, "", 0, False)


def test_answer_has_the_names_that_openapi_lists_and_an_image_where_it_is_asked_for(service):
    schemas = service.get("/openapi.json").json()["components"]["schemas"]
    (plain,) = service.read(bar("JPEG")).json()["readings"]
    (reading,) = service.read(bar("JPEG"), "?images=1").json()["readings"]
    assert list(reading) == list(schemas["Reading"]["properties"])
    assert list(reading["digits"][0]) == list(schemas["Digit"]["properties"])
    assert set(reading["digits"][0]) - set(plain["digits"][0]) == {"image"}


def test_digits_of_a_page_lie_flat_and_say_their_line_and_their_mark(tmp_path, model):
    with served(tmp_path, model, before=PAGE.format(lines=2, columns=3, turned=90)) as service:
        (reading,) = service.read(bar()).json()["readings"]
    assert (reading["text"], reading["turned"], reading["unsure"]) == ("11.1\n11.1", 90, True)
    marks = [(digit["line"], digit["mark"]) for digit in reading["digits"]]
    assert marks == [(0, ""), (0, "."), (0, ""), (1, ""), (1, "."), (1, "")]


BASE64 = base64.b64encode(bar()).decode()
TEXTS = {
    "base64 in JSON": ("application/json", json.dumps({"image": BASE64})),
    "a data URL in JSON": ("application/json; charset=utf-8", json.dumps({"image": f"data:image/png;base64,{BASE64}"})),
    "JSON with every character escaped": (
        "application/json",
        '{"name": "one.png", "image": "' + "".join(f"\\u{ord(char):04x}" for char in BASE64) + '"}',
    ),
    "broken lines in JSON": ("application/json", json.dumps({"image": base64.encodebytes(bar()).decode()})),
    "a data URL": ("text/plain;charset=UTF-8", f"data:image/png;base64,{BASE64}"),
    "base64": ("Text/Plain", base64.encodebytes(bar()).decode().replace("\n", "\r\n")),
}


@pytest.mark.parametrize("name", TEXTS)
def test_picture_in_text_is_read_as_the_picture_itself(service, name):
    kind, text = TEXTS[name]
    answer = service.read(text, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()) == (200, service.read(bar()).json())


@not_on_windows
def test_lines_of_docs_serving_md_ask_the_service(service, tmp_path):
    page = (ROOT / "docs/serving.md").read_text()
    (lines,) = re.findall(r"## Ask it\n\n```sh\n(.+?)```", page, re.DOTALL)
    (tmp_path / "docs").mkdir()
    for name in ("docs/digit.png", "one.png", "two.jpg"):
        shutil.copy(ROOT / "docs/digit.png", tmp_path / name)
    script = lines.replace("http://127.0.0.1:7860", service.url).replace("curl", "curl --silent --write-out '\\n'")
    done = subprocess.run([find("bash"), "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    picture, form, text, in_json = map(json.loads, done.stdout.splitlines())
    assert picture == text == in_json == service.read((ROOT / "docs/digit.png").read_bytes()).json()
    assert [reading["file"] for reading in form["readings"]] == ["one.png", "two.jpg"]


def test_several_pictures_are_answered_in_order_and_one_that_is_none_with_its_error(service):
    files = [("a", ("one.png", bar())), ("b", ("notes.txt", b"no picture")), ("a", ("ï.png", bar("BMP", 1100)))]
    answer = service.read(files=files)
    one, other, third = answer.json()["readings"]
    assert answer.status_code == 200
    assert (one["file"], one["text"], third["file"], third["text"]) == ("one.png", "1", "ï.png", "1")
    assert other["file"] == "notes.txt"
    assert other["error"].startswith("notes.txt: expected a picture") and "\n" not in other["error"]


def test_picture_with_nothing_to_read_is_empty_and_unsure_and_no_error(service):
    file = io.BytesIO()
    Image.new("L", (80, 80), 255).save(file, "PNG")
    (reading,) = service.read(file.getvalue()).json()["readings"]
    assert reading == {
        "file": None,
        "text": "",
        "confidence": 0,
        "unsure": True,
        "empty": True,
        "turned": 0,
        "digits": [],
    }


NO_NUMBER = """
from mnist_reader import Reader
read = Reader.read
def broken(*arguments):
    reading = read(*arguments)
    (digit,) = reading.digits
    nan = float("nan")
    digit = digit._replace(confidence=nan, second_confidence=nan, unsure=False, probabilities=(nan, float("inf")) * 5)
    return reading._replace(lines=((digit,),))
Reader.read = broken
"""


def test_digit_whose_confidence_is_no_number_is_unsure_and_its_answer_json(tmp_path, model):
    with served(tmp_path, model, before=NO_NUMBER) as service:
        answer = service.read(bar())
        (reading,) = json.loads(answer.content, parse_constant=pytest.fail)["readings"]
        assert service.metric("mnist_pictures_unsure_total") == 1
    (digit,) = reading["digits"]
    assert (answer.status_code, reading["unsure"], reading["confidence"]) == (200, True, 0)
    assert (digit["unsure"], digit["confidence"], digit["second_confidence"]) == (True, 0, 0)
    assert list(digit["probabilities"].values()) == [0] * 10


def test_model_says_what_it_is(service):
    assert service.get("/about").json() == ABOUT


def form(*parts):
    return b"".join(b"--x\r\n" + part for part in parts) + b"--x--\r\n", "multipart/form-data; boundary=x"


FILE = b'Content-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'
MALFORMED = {
    "nothing": (b"", "image/png"),
    "the first half of a PNG": (bar()[:90], "image/png"),
    "a PNG of 4 gigapixels": (bar()[:16] + b"\x00\x00\xff\xff" * 2 + bar()[24:], "image/png"),
    "a compressed body": (gzip.compress(bar()), "image/png"),
    "a PPM without an end": (b"P6 #" + b"x" * 100_000, "image/x-portable-pixmap"),
    "a form without a boundary": (b"--x\r\n", "multipart/form-data"),
    "a form with an endless boundary": (b"--x\r\n", "multipart/form-data; boundary=" + "x" * 5000),
    "a form of no parts": (b"", "multipart/form-data; boundary=x"),
    "a form cut off": (b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc', form()[1]),
    "a form of rubbish": (b"\x00\xff" * 500, form()[1]),
    "a form without a file": form(b'Content-Disposition: form-data; name="f"\r\n\r\nvalue\r\n'),
    "a part without a name": form(b"Content-Type: image/png\r\n\r\nabc\r\n"),
    "a file that is no picture": form(FILE % (b"a.png", b"abc")),
    "a file's name of control characters": form(FILE % (b"\x01\xff\xfe\x7f", b"abc")),
    "more files than one may send": form(*[FILE % (b"a", b"b")] * 100),
    "JSON of nothing": (b"", "application/json"),
    "JSON that is cut off": (b'{"image": "iVBOR', "application/json"),
    "JSON in bytes of no text": (b'{"image": "\xff\xfe"}', "application/json"),
    "JSON of another name": (b'{"picture": "iVBOR"}', "application/json"),
    "JSON of a number": (b'{"image": 5}', "application/json"),
    "JSON of an object": (b'{"image": {"image": "iVBOR"}}', "application/json"),
    "JSON of a list": (b'["iVBOR"]', "application/json"),
    "JSON of nothing in base64": (b'{"image": ""}', "application/json"),
    "JSON of a part of base64": (b'{"image": "iVBOR"}', "application/json"),
    "JSON of no base64": ('{"image": "\u00fc\\u0000"}'.encode(), "application/json"),
    "JSON of no picture": (b'{"image": "bm8gcGljdHVyZQ=="}', "application/json"),
    "text of no base64": (b"no picture\xff", "text/plain"),
    "a picture that is said to be text": (bar(), "text/plain"),
    "a data URL of text": (b"data:text/plain,no picture", "text/plain"),
    "a data URL of nothing": (b"data:image/png;base64,", "text/plain"),
    "a content type of bytes": (b"--x--", "multipart/\xff; boundary=\xff"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_body_is_422_and_one_line(service, name):
    body, kind = MALFORMED[name]
    answer = service.read(body, headers={"Content-Type": kind.encode("latin-1")})
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])
    assert "expected" in answer.json()["detail"] and "\n" not in answer.json()["detail"]


END = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REQUESTS = {
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n": 400,  # TLS
    b"GET / HTTP/1.1\r\n\r\n": 400,  # no Host
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n": 400,
    b"GET /nowhere" + END: 404,
    b"GET /%ff%00%0a" + END: 404,
    b"GET /../../etc/passwd" + END: 404,
    b"DELETE /read" + END: 405,
    b"POST /read?images=maybe" + END: 422,
    b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 30_000: 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 5_000: 400,
}


@not_on_windows
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: repr(request[:60]))
def test_malformed_request_is_4xx(service, request_):
    answer = service.raw(request_)
    assert status(answer) == REQUESTS[request_]
    assert answer.endswith(b'"}') is (status(answer) != 400)  # 400 comes from uvicorn and Starlette, as plain text


def test_error_that_nobody_foresaw_is_500_in_one_line_and_logged(tmp_path, model):
    broken = "import mnist_reader\nmnist_reader.Reader.read = lambda *_: 1 / 0"
    with served(tmp_path, model, before=broken) as service:
        answer = service.read(bar())
        detail = {"detail": "the service failed at this request; its log says why"}
        assert (answer.status_code, answer.json()) == (500, detail)
        eventually(lambda: any("ZeroDivisionError" in line.get("error", "") for line in service.log()))
        assert service.get("/about").status_code == 200


@pytest.mark.parametrize(("path", "kind"), {"/": "html", "/style.css": "css", "/script.js": "javascript"}.items())
def test_page_is_served_with_headers_that_shut_out_other_hosts(service, path, kind):
    answer = service.get(path)
    assert answer.content == (ROOT / "apps/serve/page" / (path[1:] or "index.html")).read_bytes()
    assert kind in answer.headers["Content-Type"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    names = ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")
    assert [answer.headers[name] for name in names] == ["nosniff", "DENY", "no-referrer"]


def references(value):
    """Every $ref in a JSON value."""
    if isinstance(value, dict):
        return {text for key, text in value.items() if key == "$ref"}.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_openapi_document_is_whole(service):
    schema = service.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/read", "/about", "/health", "/metrics"}
    assert {"200", "408", "413", "422", "503"} == set(schema["paths"]["/read"]["post"]["responses"])
    kinds = schema["paths"]["/read"]["post"]["requestBody"]["content"]
    assert set(kinds) == {"image/*", "multipart/form-data", "application/json", "text/plain"}
    names = references(schema)
    assert "#/components/schemas/Readings" in names
    assert all(name.rpartition("/")[2] in schema["components"]["schemas"] for name in names)


def test_requests_are_counted_and_logged(tmp_path, model):
    with served(tmp_path, model) as service:
        for content in (bar(), bar(), b"no picture"):
            service.read(content)
        families = text_string_to_metric_families(service.get("/metrics").text)
        samples = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
        assert samples["mnist_requests_total", "/read", "200"] == 2
        assert samples["mnist_requests_total", "/read", "422"] == 1
        assert samples["mnist_request_seconds_count", "/read"] == 3
        assert samples["mnist_pictures_read_total",] == 2
        assert samples["mnist_pictures_unsure_total",] == 0
        assert samples["mnist_requests_in_flight",] == 1  # this one
        eventually(lambda: len(service.log()) == 4)
        line = service.log()[0]
        assert (line["method"], line["path"], line["status"]) == ("POST", "/read", 200)
        assert line["milliseconds"] > 0 and line["bytes"] > 100


def test_nothing_is_written_to_disk(tmp_path, model):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8))
    file = io.BytesIO()
    noise.save(file, "PNG")
    assert len(file.getvalue()) > 2**21  # Starlette's own parser puts a megabyte on disk
    with served(tmp_path, model, before="import tempfile\ntempfile.TemporaryFile = None") as service:
        answer = service.read(files=[("f", ("noise.png", file.getvalue())), ("f", ("one.png", bar()))])
        assert [one["file"] for one in answer.json()["readings"]] == ["noise.png", "one.png"]


def test_port_in_use_is_one_line(service, model):
    line = f"expected a free port, found {service.port}, which is in use or not allowed; choose one with --port"
    assert start("--port", str(service.port), "--model", str(model)) == (1, f"error: {line}\n")


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_port_that_is_none_is_one_line(model, port):
    line = f"error: expected a free port, found {port}, which is in use or not allowed; choose one with --port\n"
    assert start("--port", port, "--model", str(model)) == (1, line)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_missing_or_old_model_is_one_line(tmp_path, workers):
    write_model(tmp_path / "old.onnx", about={})
    for name, reason in {"none": "the exported model, found no such file", "old": "a model that says its"}.items():
        code, line = start("--port", "0", "--workers", workers, "--model", str(tmp_path / f"{name}.onnx"))
        assert (code, line.count("\n")) == (1, 1) and f"{name}.onnx: expected {reason}" in line


@not_on_windows
@pytest.mark.parametrize("name", ["none.onnx", "model.onnx"])
def test_a_process_whose_answers_nobody_takes_any_more_says_nothing(tmp_path, name):
    write_model(tmp_path / "model.onnx")
    command = [sys.executable, "-m", "apps.serve.worker", "0", str(tmp_path / name)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


def test_other_machines_are_not_served_without_a_token(model):
    line = "error: MNIST_TOKEN: expected a token, because --host is not 127.0.0.1; found none in the environment\n"
    assert start("--host", "0.0.0.0", "--port", "0", "--model", str(model), MNIST_TOKEN="") == (1, line)


@pytest.mark.parametrize(
    "token", [" ", "\t", " secret", "secret\n", "s\x1bcret", "s\x7f", "s\xe9cret", "\u20ac", "\udcff"]
)
def test_token_that_a_header_cannot_hold_is_one_line(model, token):
    line = "MNIST_TOKEN: expected letters, digits and signs of ASCII without spaces around them, as a header can hold"
    assert start("--model", str(model), "--port", "0", MNIST_TOKEN=token) == (
        1,
        f"error: {line}; found something else\n",
    )


def test_host_that_is_none_is_one_line(model):
    code, line = start("--host", "203.0.113.1", "--port", "0", "--model", str(model), MNIST_TOKEN="secret")
    assert (code, line.count("\n")) == (1, 1)


def test_without_fastapi_the_program_ends_in_one_line_that_says_what_to_install():
    command = [sys.executable, "-E", "-S", "-m", "apps.serve"]  # sees no installed package
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    install = "run `pip install --require-hashes -r requirements-apps.txt`"
    assert (done.returncode, done.stderr) == (1, f"error: apps.serve needs fastapi; {install}\n")


GATED = """
import time
from pathlib import Path
from mnist_reader import Reader
read = Reader.read
def gated(*arguments):
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    return read(*arguments)
Reader.read = gated
"""


@not_on_windows
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_and_new_work_refused_when_the_service_is_told_to_stop(tmp_path, model, number):
    gated = GATED.format(gate=str(tmp_path / "gate"))
    with served(tmp_path, model, before=gated) as service, service.connect() as idle:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            flying = [pool.submit(service.read, bar(side=1100)) for _ in range(3)]
            eventually(lambda: service.metric("mnist_requests_in_flight") == 4)  # one is read, two wait, and this one
            service.process.send_signal(number)
            eventually(lambda: refused(service.port))
            assert idle.recv(100) == b""
            (tmp_path / "gate").touch()
            answers = [one.result() for one in flying]
        assert [(one.status_code, one.json()["readings"][0]["text"]) for one in answers] == [(200, "1")] * 3
        assert service.process.wait(60) == 0
    assert all("error" not in line for line in service.log())


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


@not_on_windows
def test_body_that_never_ends_does_not_keep_the_service_from_stopping(tmp_path, model):
    with served(tmp_path, model, limits="body_seconds=5") as service, service.connect() as connection:
        connection.sendall(post(b"half", length=100))
        eventually(lambda: service.metric("mnist_requests_in_flight") == 2)
        service.process.send_signal(signal.SIGTERM)
        assert status(connection.recv(1000)) == 408
        assert service.process.wait(60) == 0


SLEEP = """
import time
from pathlib import Path
from mnist_reader import Reader
def sleep(*_):
    Path({begun!r}).touch()
    time.sleep(1000)
Reader.read = sleep
"""


@contextmanager
def sleeping(folder, model, workers, **options):
    """A service whose readings never end; its processes; and the file that is there once one has begun."""
    begun = folder / "begun"
    with served(folder, model, workers=workers, before=SLEEP.format(begun=str(begun)), **options) as service:
        several = workers > 1  # then there are the first process and one that Python keeps for them
        eventually(lambda: len(service.processes()) == 3 * workers + 2 * several)
        eventually(lambda: service.get("/health").ok)
        yield service, service.processes(), begun


@on_linux
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("content", [bar(), bar(side=1100)], ids=["quick", "slow"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_that_are_not_done_get_503_when_the_service_is_told_to_stop(tmp_path, model, number, content, workers):
    limits = "read_seconds=4, request_seconds=8, wait_seconds=300, stop_seconds=30"
    with (
        sleeping(tmp_path, model, workers, limits=limits) as (service, pids, begun),
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        flying = [pool.submit(service.read, content) for _ in range(3)]
        eventually(begun.exists)
        service.process.send_signal(number)
        assert service.process.wait(30) == 0  # `stop_seconds`
        answers = Counter(map(answered, flying))
        assert set(answers) <= {(503, "1"), None} and answers[503, "1"] >= 1
        assert ended(pids)


def answered(flying):
    """Status and Retry-After of an answer; None where the request came too late."""
    try:
        answer = flying.result()
    except requests.ConnectionError:
        return None
    return answer.status_code, answer.headers["Retry-After"]


def ended(pids):
    """Soon none of these processes is there."""
    eventually(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])
    return True


@on_linux
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("busy", [False, True])
def test_all_processes_end_with_the_service_even_where_it_is_killed(tmp_path, model, busy, workers):
    with (
        sleeping(tmp_path, model, workers, limits="files=64") as (service, pids, begun),
        service.connect() as connection,
    ):
        if busy:
            connection.sendall(post(bar()))
            eventually(begun.exists)
        service.process.kill()
        assert ended(pids[1:])


@on_linux
def test_workers_share_the_port_and_all_end_together(tmp_path, model):
    with served(tmp_path, model, "--workers", "2") as service:
        assert service.read(bar()).json()["readings"][0]["text"] == "1"
        counts, name = [], 'mnist_request_seconds_count{route="/metrics"}'  # of one worker it rises at each question
        eventually(lambda: counts.append(service.metric(name)) or len(counts) > len(set(counts)))
        pids = service.processes()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
        assert ended(pids)
        assert refused(service.port)


def test_nothing_of_the_pipeline_is_imported():
    script = "import sys, apps.serve.command; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"mnist", "tensorflow", "keras", "scipy", "pandas", "dvc"} & set(done.stdout.split())
