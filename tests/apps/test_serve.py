"""python -m apps.serve, as a user runs it: pictures in, answers out, started and stopped."""

import base64
import concurrent.futures
import contextlib
import gzip
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from tests.apps.services import ABOUT, WEIGHTS, bar, eventually, post, served, status, write_model
from tests.clones import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "linear.onnx")


@pytest.fixture(scope="module")
def service(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("serve"), model) as service:
        yield service


def start(*arguments, **environment):
    command = [sys.executable, "-m", "apps.serve", *arguments]
    variables = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=60)


def test_picture_is_read_with_the_probabilities_that_numpy_computes(service):
    answer = requests.post(f"{service.url}/read?images=1", data=bar(), timeout=30)
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
    assert 0 <= left < 0.5 < right <= 1 and 0 <= top < 0.5 < bottom <= 1


def test_images_come_only_where_they_are_asked_for(service):
    (reading,) = requests.post(f"{service.url}/read", data=bar("JPEG"), timeout=30).json()["readings"]
    assert [set(digit) for digit in reading["digits"]] == [
        {"label", "confidence", "second", "second_confidence", "unsure", "box", "probabilities"}
    ]


def test_several_pictures_are_answered_in_order_and_one_that_is_none_with_its_error(service):
    files = [("a", ("one.png", bar())), ("b", ("notes.txt", b"no picture")), ("a", ("ï.png", bar("BMP")))]
    answer = requests.post(f"{service.url}/read", files=files, timeout=30)
    one, other, third = answer.json()["readings"]
    assert answer.status_code == 200
    assert (one["file"], one["text"], third["text"]) == ("one.png", "1", "1")
    assert other["file"] == "notes.txt"
    assert other["error"].startswith("notes.txt: expected a picture") and "\n" not in other["error"]


def test_empty_picture_is_an_empty_text(service):
    file = io.BytesIO()
    Image.new("L", (80, 80), 255).save(file, "PNG")
    (reading,) = requests.post(f"{service.url}/read", data=file.getvalue(), timeout=30).json()["readings"]
    assert reading == {"file": None, "text": "", "confidence": 0, "unsure": False, "digits": []}


def test_model_says_what_it_is(service):
    assert requests.get(f"{service.url}/about", timeout=30).json() == ABOUT


def form(*parts, boundary="x"):
    body = b"".join(b"--%s\r\n%s" % (boundary.encode(), part) for part in parts) + b"--x--\r\n"
    return body, "multipart/form-data; boundary=x"


FILE = b'Content-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'
MALFORMED = {
    "nothing": (b"", "image/png"),
    "text": (b"no picture at all", "text/plain"),
    "the first half of a PNG": (bar()[:90], "image/png"),
    "a PNG with a broken header": (bar()[:12] + b"\xff" * 60, "image/png"),
    "a PNG of 4 gigapixels": (bar()[:16] + b"\x00\x00\xff\xff" * 2 + bar()[24:], "image/png"),
    "a compressed body": (gzip.compress(bar()), "image/png"),
    "a PPM without an end": (b"P6 #" + b"x" * 100_000, "image/x-portable-pixmap"),
    "JSON of lone surrogates": (b'"\\ud800"', "application/json"),
    "a form without a boundary": (b"--x\r\n", "multipart/form-data"),
    "a form with an endless boundary": (b"--x\r\n", "multipart/form-data; boundary=" + "x" * 5000),
    "a form of no parts": (b"", "multipart/form-data; boundary=x"),
    "a form cut off": (b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc', form()[1]),
    "a form of rubbish": (b"\x00\xff" * 500, form()[1]),
    "a form without a file": form(b'Content-Disposition: form-data; name="f"\r\n\r\nvalue\r\n'),
    "a part without a name": form(b"Content-Type: image/png\r\n\r\nabc\r\n"),
    "a part with a bad encoding": form(
        b'Content-Disposition: form-data; name="f"; filename="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n'
    ),
    "a file that is no picture": form(FILE % (b"a.png", b"abc")),
    "a file's name of control characters": form(FILE % (b"\x01\xff\xfe\x7f", b"abc")),
    "more files than one may send": form(*[FILE % (b"a", b"b")] * 100),
    "no multipart form": (b"--x--", "multipart/mixed; boundary=x"),
    "a content type of bytes": (b"--x--", "multipart/\xff; boundary=\xff"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_body_is_422_and_one_line(service, name):
    body, kind = MALFORMED[name]
    answer = requests.post(
        f"{service.url}/read", data=body, headers={"Content-Type": kind.encode("latin-1")}, timeout=30
    )
    assert answer.status_code == 422
    assert list(answer.json()) == ["detail"]
    assert "expected" in answer.json()["detail"] and "\n" not in answer.json()["detail"]


REQUESTS = {
    b"\x16\x03\x01\x02\x00\x01\x00": 400,  # TLS
    b"GET / HTTP/1.1\r\n\r\n": 400,  # no Host
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n": 400,
    b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /%ff%00%0a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": 404,
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": 404,
    b"GET http://[/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": 400,
    b"DELETE /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": 405,
    b"POST /read?images=maybe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n": 422,
    b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 200 + b"\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 100_000: 431,
}


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: repr(request[:60]))
def test_malformed_request_is_4xx(service, request_):
    assert status(service.raw(request_)) == REQUESTS[request_]


def test_error_that_nobody_foresaw_is_500_in_one_line_and_logged(tmp_path, model):
    broken = "from mnist_reader.reader import Reader\nReader.read = lambda *_: 1 / 0"
    with served(tmp_path, model, before=broken) as service:
        answer = requests.post(f"{service.url}/read", data=bar(), timeout=30)
        assert (answer.status_code, answer.json()) == (
            500,
            {"detail": "the service failed at this request; its log says why"},
        )
        eventually(lambda: any("ZeroDivisionError" in line.get("error", "") for line in service.log()))
        assert requests.get(f"{service.url}/about", timeout=30).status_code == 200


def test_page_is_served_with_headers_that_shut_out_other_hosts(service):
    for path, kind in {"/": "text/html", "/style.css": "text/css", "/script.js": "text/javascript"}.items():
        answer = requests.get(f"{service.url}{path}", timeout=30)
        present = (ROOT / "apps/serve/page" / (path[1:] or "index.html")).exists()
        assert answer.status_code == (200 if present else 404)
        assert present is answer.headers["Content-Type"].startswith(kind)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def references(value):
    """Every $ref in a JSON value."""
    if isinstance(value, dict):
        return {text for key, text in value.items() if key == "$ref"}.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_openapi_document_is_whole_and_its_page_asks_no_other_host(service):
    schema = requests.get(f"{service.url}/openapi.json", timeout=30).json()
    assert {"/read", "/about", "/v2", "/v2/models/mnist/infer"} <= set(schema["paths"])
    found = references(schema)
    assert "#/components/schemas/Readings" in found and "#/components/schemas/InferenceRequest" in found
    assert all(name.rpartition("/")[2] in schema["components"]["schemas"] for name in found)
    page = requests.get(f"{service.url}/docs", timeout=30)
    assert page.status_code == 200
    assert "POST /read" in page.text and "//" not in page.text


def test_requests_are_counted_and_logged(tmp_path, model):
    with served(tmp_path, model) as service:
        for content in (bar(), bar(), b"no picture"):
            requests.post(f"{service.url}/read", data=content, timeout=30)
        text = requests.get(f"{service.url}/metrics", timeout=30).text
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
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
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 2**21  # Starlette's own parser puts a megabyte on disk
    with served(tmp_path, model) as service:
        files = [("f", ("noise.png", file.getvalue())), ("f", ("one.png", bar()))]
        opened = set()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(requests.post, f"{service.url}/read", files=files, timeout=60)
            while not answer.done():
                opened |= files_of(service.process.pid)
        assert answer.result().status_code == 200
        assert list((tmp_path / "temporary").iterdir()) == []
        assert not {name for name in opened if str(tmp_path / "temporary") in name}


def files_of(pid):
    """The names of a process's open files."""
    names = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            names.add(str(link.readlink()))
    return names


def test_port_in_use_is_one_line(service, model):
    done = start("--port", str(service.port), "--model", str(model))
    line = (
        f"error: expected a free port, found {service.port}, which is in use or not allowed; choose one with --port\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_port_that_is_none_is_one_line(model, port):
    done = start("--port", port, "--model", str(model))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: expected a free port, found {port}")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_missing_or_old_model_is_one_line(tmp_path, workers):
    done = start("--port", "0", "--workers", workers, "--model", str(tmp_path / "none.onnx"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "expected the exported model, found no such file" in done.stderr
    write_model(tmp_path / "old.onnx", about={})
    done = start("--port", "0", "--workers", workers, "--model", str(tmp_path / "old.onnx"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "old.onnx: expected a model that says its classes" in done.stderr


def test_other_machines_are_not_served_without_a_token(model):
    done = start("--host", "0.0.0.0", "--port", "0", "--model", str(model), MNIST_TOKEN="")
    line = "error: MNIST_TOKEN: expected a token, because --host is not 127.0.0.1; found none in the environment\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_host_that_is_none_is_one_line(model):
    done = start("--host", "203.0.113.1", "--port", "0", "--model", str(model), MNIST_TOKEN="secret")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


SLOW = """
import time
from mnist_reader.reader import Reader
read = Reader.read
Reader.read = lambda *arguments: time.sleep({seconds}) or read(*arguments)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_and_new_work_refused_when_the_service_is_told_to_stop(tmp_path, model, number):
    slow = {"before": SLOW.format(seconds=2), "limits": "quick_pixels=100"}
    with served(tmp_path, model, **slow) as service, service.connect() as idle:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            flying = [pool.submit(requests.post, f"{service.url}/read", data=bar(), timeout=60) for _ in range(3)]
            time.sleep(1)  # one is being read, two wait
            service.process.send_signal(number)
            eventually(lambda: refused(service.port))
            assert idle.recv(100) == b""
            answers = [one.result() for one in flying]
        assert [(one.status_code, one.json()["readings"][0]["text"]) for one in answers] == [(200, "1")] * 3
        assert service.process.wait(30) == 0
    assert all("error" not in line for line in service.log())


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


def test_body_that_never_ends_does_not_keep_the_service_from_stopping(tmp_path, model):
    with served(tmp_path, model, limits="body_seconds=2") as service, service.connect() as connection:
        connection.sendall(post(b"half", length=100))
        eventually(lambda: in_flight(service) == 2)
        service.process.send_signal(signal.SIGTERM)
        assert status(connection.recv(1000)) == 408
        assert service.process.wait(30) == 0


def in_flight(service):
    text = requests.get(f"{service.url}/metrics", timeout=30).text
    return float(re.search(r"^mnist_requests_in_flight (\S+)$", text, re.MULTILINE)[1])


def test_workers_share_the_port_and_all_end_together(tmp_path, model):
    with served(tmp_path, model, "--workers", "2") as service:
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        assert requests.post(f"{service.url}/read", data=bar(), timeout=60).json()["readings"][0]["text"] == "1"
        answered = []  # of one worker these numbers rise from request to request
        eventually(lambda: answered.append(requests_of_one_worker(service)) or len(answered) > len(set(answered)))
        pids = children.read_text().split()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
        eventually(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])
        assert refused(service.port)


def requests_of_one_worker(service):
    """How many requests the worker that answers this one has answered before."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(map(float, re.findall(r"^mnist_requests_total\{.*\} (\S+)$", text, re.MULTILINE)))


def test_nothing_heavy_is_imported(model):
    script = (
        "import sys; from pathlib import Path; from apps.serve.settings import Settings;"
        "from apps.serve import connections, service; service.create(Settings(Path(sys.argv[1])));"
        "sys.exit(' '.join({'tensorflow', 'keras', 'scipy', 'pandas', 'gradio', 'sklearn'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(model)], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_log_is_json(service):
    requests.get(f"{service.url}/about", timeout=30)
    eventually(lambda: service.log() and json.dumps(service.log()[-1]))
