"""What apps.serve refuses: foreign pages and hosts, large and slow requests, and more work than it can do."""

import concurrent.futures
import contextlib
import io
import resource
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests.apps.services import bar, eventually, post, received, served, status, write_model

pytestmark = pytest.mark.slow
MEBI = 2**20


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "linear.onnx")


@pytest.fixture(scope="module")
def service(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("limits"), model, "--allowed-host", "digits.example") as service:
        yield service


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost", "http://[", "", "file://"])
def test_page_of_another_origin_gets_403(service, origin):
    answer = requests.post(f"{service.url}/read", data=bar(), headers={"Origin": origin}, timeout=30)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_preflight_of_another_origin_gets_403(service):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert requests.options(f"{service.url}/read", headers=headers, timeout=30).status_code == 403


def test_page_of_this_origin_is_answered(service):
    answer = requests.post(f"{service.url}/read", data=bar(), headers={"Origin": service.url}, timeout=30)
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "192.0.2.1"])
def test_foreign_host_gets_400(service, host):
    answer = requests.get(f"{service.url}/about", headers={"Host": host}, timeout=30)
    assert answer.status_code == 400
    assert "expected a Host that is served here" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7860", "digits.example:80"])
def test_own_and_allowed_hosts_are_answered(service, host):
    assert requests.get(f"{service.url}/about", headers={"Host": host}, timeout=30).status_code == 200


def test_600_mb_are_refused_before_any_of_them_is_sent(service):
    begin = time.monotonic()
    answer = service.raw(post(b"", length=600 * MEBI))
    assert status(answer) == 413 and b"expected a body of at most 10,485,760 bytes" in answer
    assert time.monotonic() - begin < 10
    answer = service.raw(post(b"", length=600 * MEBI, extra=b"Expect: 100-continue\r\n"))
    assert status(answer) == 413  # and not 100


def test_ordinary_client_that_sends_11_mb_is_told_why_not(service):
    answer = requests.post(f"{service.url}/read", data=bytes(11 * MEBI), timeout=60)
    assert answer.status_code == 413
    assert "expected a body" in answer.json()["detail"]


def test_chunks_are_counted_while_they_come(service):
    def chunks():
        for _ in range(200):
            yield bytes(MEBI)

    before = service.memory("VmHWM")
    try:
        answered = requests.post(f"{service.url}/read", data=chunks(), timeout=60).status_code
    except requests.exceptions.ConnectionError:  # cut off while it was still sending
        answered = 413
    assert answered == 413
    assert service.memory("VmHWM") - before < 60


def test_10_mb_are_read(service):
    content = bar()
    padded = content + bytes(10 * MEBI - len(content))  # after the end of a PNG comes what it will
    assert requests.post(f"{service.url}/read", data=padded, timeout=60).status_code == 200


def test_all_bodies_together_are_bounded(tmp_path, model):
    with served(tmp_path, model, limits="held_bytes=3 * 2**20") as service, contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(service.connect())
            connection.sendall(post(bytes(MEBI), length=2 * MEBI))
        eventually(lambda: "mnist_requests_in_flight 3.0" in requests.get(f"{service.url}/metrics", timeout=30).text)
        time.sleep(0.5)  # for the bytes on their way
        answer = requests.post(f"{service.url}/read", data=bytes(2 * MEBI), timeout=30)
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
        assert requests.post(f"{service.url}/read", data=bar(), timeout=30).status_code == 200


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("token")
    with served(folder, model, environment={"MNIST_TOKEN": "sécret"}) as service:
        yield service


@pytest.mark.parametrize("path", ["/about", "/docs", "/openapi.json", "/v2", "/v2/models/mnist", "/nowhere"])
def test_without_the_token_it_is_401(guarded, path):
    answer = requests.get(f"{guarded.url}{path}", timeout=30)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer wrong", "Basic sécret", "sécret", "Bearer sécret x"])
def test_wrong_token_is_401(guarded, value):
    headers = {"Authorization": value.encode()}
    assert requests.post(f"{guarded.url}/read", data=bar(), headers=headers, timeout=30).status_code == 401


def test_right_token_is_answered(guarded):
    headers = {"Authorization": "bearer sécret".encode()}
    assert requests.post(f"{guarded.url}/read", data=bar(), headers=headers, timeout=30).status_code == 200


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics"])
def test_probes_need_no_token(guarded, path):
    assert requests.get(f"{guarded.url}{path}", timeout=30).status_code == 200


def test_token_lets_other_addresses_be_served(tmp_path, model):
    with served(tmp_path, model, "--host", "0.0.0.0", environment={"MNIST_TOKEN": "secret"}) as service:
        headers = {"Authorization": "Bearer secret"}
        assert requests.get(f"{service.url}/about", headers=headers, timeout=30).status_code == 200
        assert requests.get(f"{service.url}/about", timeout=30).status_code == 401


def slow(seconds):
    """A script's lines that make every picture take so long."""
    return f"""
import time
from mnist_reader.reader import Reader
read = Reader.read
Reader.read = lambda *arguments: time.sleep({seconds}) or read(*arguments)
"""


def statuses(service, count, content=None):
    """How often each status is answered to `count` requests at once, and the headers of all 503."""
    url = f"{service.url}/read"
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(requests.post, url, data=content or bar(), timeout=200) for _ in range(count)]
        answers = [one.result() for one in asked]
    return Counter(one.status_code for one in answers), [one.headers for one in answers if one.status_code == 503]


def test_more_than_the_queue_holds_get_503(tmp_path, model):
    with served(tmp_path, model, limits="waiting=3, quick_pixels=100", before=slow(1)) as service:
        found, headers = statuses(service, 12)
    assert found == {200: 1 + 3, 503: 12 - 4}
    assert all(one["Retry-After"] for one in headers)


def test_those_who_wait_too_long_get_503(tmp_path, model):
    with served(tmp_path, model, limits="wait_seconds=0.5, quick_pixels=100", before=slow(2)) as service:
        assert statuses(service, 5)[0] == {200: 1, 503: 4}


AT_ONCE = """
import sys, threading, time
from mnist_reader.reader import Reader
read, lock, now = Reader.read, threading.Lock(), [0]
def counted(*arguments):
    with lock:
        now[0] += 1
        print("at once:", now[0], file=sys.stderr, flush=True)
    time.sleep(0.2)
    with lock:
        now[0] -= 1
    return read(*arguments)
Reader.read = counted
"""


@pytest.mark.parametrize("limits", ["quick_pixels=10**6", "quick_pixels=100", "quick_bytes=10"])
def test_one_picture_is_read_at_a_time(tmp_path, model, limits):
    with served(tmp_path, model, limits=limits, before=AT_ONCE) as service:
        assert statuses(service, 8)[0] == {200: 8}
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("at once:")]
    assert max(int(line.split()[-1]) for line in lines) == 1


def test_small_picture_does_not_wait_for_large_ones(tmp_path, model):
    large, pool = bar(side=400), concurrent.futures.ThreadPoolExecutor(4)
    with served(tmp_path, model, limits="quick_pixels=20_000", before=slow(1)) as service, pool:
        asked = [pool.submit(requests.post, f"{service.url}/read", data=large, timeout=60) for _ in range(4)]
        time.sleep(0.5)
        begin = time.monotonic()
        assert requests.post(f"{service.url}/read", data=bar(), timeout=60).status_code == 200
        assert time.monotonic() - begin < 2.9  # four in a row take 4 s
        assert [one.result().status_code for one in asked] == [200] * 4


def test_head_that_does_not_arrive_ends_the_connection(tmp_path, model):
    with served(tmp_path, model, limits="head_seconds=1") as service:
        silent, half, kept = (service.connect() for _ in range(3))
        half.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        kept.sendall(b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(received(kept)) == 200  # and then closed, as nothing more is asked
        assert received(silent) == received(half) == b""
        for connection in (silent, half, kept):
            connection.close()


def drip(connection):
    """Send a byte now and then, for 10 seconds."""
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


def test_head_that_drips_ends_the_connection(tmp_path, model):
    with served(tmp_path, model, limits="head_seconds=1") as service, service.connect() as connection:
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            drip(connection)
        assert time.monotonic() - begin < 9


def test_body_that_does_not_arrive_gets_408(tmp_path, model):
    with served(tmp_path, model, limits="body_seconds=1") as service, service.connect() as connection:
        connection.sendall(post(b"half", length=100))
        answer = received(connection)
        assert status(answer) == 408 and b"expected the body within 1 s, found 4 bytes" in answer


def test_client_that_does_not_take_its_answer_is_cut_off(tmp_path, model):
    limits = "answer_seconds=1, head_seconds=1"
    with served(tmp_path, model, limits=limits) as service, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 16)
        eventually(lambda: open_connections(service) == 0)


def open_connections(service):
    """Connections that are established to the service."""
    states = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{service.port:04X}") and state == "01" for local, _, state in states)


def test_pipeline_without_end_is_400(service):
    answer = service.raw(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
    assert b"HTTP/1.1 400" in answer


def test_short_pipeline_is_answered_in_order(service):
    one = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = service.raw(one * 5 + last)
    assert answer.count(b'{"live":true}') == 5 and answer.count(b"HTTP/1.1 200") == 6


@pytest.fixture
def many_files():
    """This process may open 4,000 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\n", post(b"x" * 1000, length=MEBI)])
def test_1500_slow_connections_leave_room_for_honest_ones(tmp_path, model, many_files, begun):
    with served(tmp_path, model) as service, contextlib.ExitStack() as stack:
        for _ in range(1500):
            connection = stack.enter_context(service.connect())
            with contextlib.suppress(OSError):
                connection.sendall(begun)
        begin = time.monotonic()
        for _ in range(20):
            assert requests.post(f"{service.url}/read", data=bar(), timeout=30).status_code == 200
        assert time.monotonic() - begin < 9  # before any time limit frees a place
        assert service.memory("VmHWM") < 600


def huge(side=8890):
    """A PNG of 79 megapixels with a bar, in colour, which a decoder needs 4 bytes a pixel for."""
    image = Image.new("RGB", (side, side), "white")
    image.paste((0, 0, 0), (side * 46 // 100, side // 10, side * 54 // 100, side * 9 // 10))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def test_six_pictures_of_79_megapixels_at_once_stay_under_600_mb(tmp_path, model):
    content = huge()
    with served(tmp_path, model, limits="wait_seconds=100, answer_seconds=200") as service:
        small = Counter()
        done = threading.Event()

        def ask():
            while not done.is_set():
                small[requests.post(f"{service.url}/read", data=bar(), timeout=60).status_code] += 1

        thread = threading.Thread(target=ask)
        thread.start()
        found, _ = statuses(service, 6, content)
        done.set()
        thread.join()
        assert found == {200: 6}
        assert set(small) == {200}
        assert service.memory("VmHWM") < 600


def test_200_clients_get_no_error_but_503(tmp_path, model):
    with served(tmp_path, model) as service:
        found, _ = statuses(service, 200)
        assert set(found) <= {200, 503} and found[200] >= 64
        assert np.isclose(found.total(), 200)
