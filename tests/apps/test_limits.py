"""What apps.serve refuses: foreign pages and hosts, large and slow requests, and more work than it can do."""

import concurrent.futures
import contextlib
import io
import resource
import threading
from collections import Counter

import pytest
from PIL import Image

from tests.apps.services import bar, eventually, post, served, status, write_model

pytestmark = pytest.mark.slow
MEBI = 2**20
LARGE = bar(side=1100)  # read in its turn; a smaller one is read at once


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "linear.onnx")


@pytest.fixture(scope="module")
def service(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("limits"), model, "--allowed-host", "digits.example") as service:
        yield service


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost", "http://[", "", "file://"])
def test_page_of_another_origin_gets_403(service, origin):
    answer = service.read(bar(), headers={"Origin": origin})
    assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_page_of_this_origin_is_answered(service):
    assert service.read(bar(), headers={"Origin": service.url}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "192.0.2.1"])
def test_foreign_host_gets_400(service, host):
    assert service.get("/about", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7860", "digits.example:80"])
def test_own_and_allowed_hosts_are_answered(service, host):
    assert service.get("/about", headers={"Host": host}).status_code == 200


def test_600_mb_are_refused_before_any_of_them_is_sent(service):
    answer = service.raw(post(b"", length=600 * MEBI))
    assert status(answer) == 413 and b"expected a body of at most 10,485,760 bytes" in answer
    answer = service.raw(post(b"", length=600 * MEBI, extra=b"Expect: 100-continue\r\n"))
    assert status(answer) == 413  # and not 100


CHUNKS = b"POST /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
SIXTY = {
    "with their length": lambda: post(bytes(60 * MEBI)),
    "in chunks": lambda: CHUNKS + (b"%x\r\n%s\r\n" % (MEBI, bytes(MEBI))) * 60 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("how", SIXTY)
def test_client_that_sends_60_mb_before_it_reads_is_told_why_not(tmp_path, model, how):
    with served(tmp_path, model) as service:
        before = service.memory()
        answer = service.raw(SIXTY[how]())
        assert status(answer) == 413 and answer.endswith(b'bytes, found more"}')
        assert service.memory() - before < 60


def test_10_mb_are_read(service):
    content = bar()
    padded = content + bytes(10 * MEBI - len(content))  # after the end of a PNG comes what it will
    assert service.read(padded).status_code == 200


JSONS = {
    "lists in lists": b"[" * (10 * MEBI),
    "objects in objects": b'{"image":' * MEBI,
    "a list of lists": b'{"image": [' + b"[]," * (3 * MEBI) + b"0]}",
    "a list of objects": b'{"image": [' + b'{"a":1},' * MEBI + b"0]}",
    "objects beside the picture": b'{"a": {"b": {}}, "image": "%s"}' % (b"A" * 9 * MEBI),
    "a number without end": b'{"image": ' + b"1" * (9 * MEBI),
    "many names": b"{" + b",".join(b'"%d": 1' % number for number in range(700_000)) + b"}",
    "a string of escapes": b'{"image": "' + b"\\u0100" * MEBI + b'"}',
    "base64 of no picture": b'{"image": "%s"}' % (b"AAAA" * 2 * MEBI),
    "broken lines": b'{"image": "%s"}' % (b"\\n" * 4 * MEBI),
}


def test_json_of_up_to_10_mb_is_refused_in_under_400_mb(tmp_path, model):
    with served(tmp_path, model) as service:
        for name, content in JSONS.items():
            answer = service.read(content, headers={"Content-Type": "application/json"})
            assert (answer.status_code, len(answer.json()["detail"]) <= 300) == (422, True), name
            assert service.memory() < 400, name


def test_all_bodies_together_are_bounded_but_small_ones_taken(tmp_path, model):
    limits = "held_bytes=2**20, body_seconds=300"
    with served(tmp_path, model, limits=limits) as service, service.connect() as connection:
        connection.sendall(post(bytes(MEBI - 1), length=MEBI))
        eventually(lambda: service.read(bytes(2**17)).status_code == 503)  # once the other's bytes have arrived
        answer = service.read(bytes(2**17))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert service.read(bar()).status_code == 200


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("token"), model, environment={"MNIST_TOKEN": "sécret"}) as service:
        yield service


@pytest.mark.parametrize("path", ["/about", "/read", "/nowhere"])
def test_without_the_token_it_is_401(guarded, path):
    answer = guarded.get(path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer wrong", "Basic sécret", "sécret", "Bearer sécret x"])
def test_wrong_token_is_401(guarded, value):
    assert guarded.read(bar(), headers={"Authorization": value.encode()}).status_code == 401


def test_right_token_is_answered(guarded):
    assert guarded.read(bar(), headers={"Authorization": "bearer sécret".encode()}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/openapi.json"])
def test_page_and_probes_need_no_token(guarded, path):
    assert guarded.get(path).status_code == 200


def test_token_lets_other_addresses_be_served(tmp_path, model):
    with served(tmp_path, model, "--host", "0.0.0.0", environment={"MNIST_TOKEN": "secret"}) as service:
        assert service.get("/about", headers={"Authorization": "Bearer secret"}).status_code == 200
        assert service.get("/about").status_code == 401


def statuses(service, count, content):
    """How often each status is answered to `count` requests at once; each 503 says when to come again."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: service.read(content), range(count)))
    assert all(one.headers["Retry-After"] == "1" for one in answers if one.status_code == 503)
    return Counter(one.status_code for one in answers)


GATED = """
import time
from pathlib import Path
from mnist_reader import Reader
read = Reader.read
def gated(self, content, name):
    while len(content) > {small} and not Path({gate!r}).exists():
        time.sleep(0.01)
    return read(self, content, name)
Reader.read = gated
"""


def test_more_than_the_queue_holds_get_503_and_small_pictures_do_not_wait(tmp_path, model):
    gate = tmp_path / "gate"
    gated = GATED.format(gate=str(gate), small=len(bar()))
    with (
        served(tmp_path, model, limits="waiting=3, wait_seconds=300", before=gated) as service,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        taken = [pool.submit(service.read, LARGE) for _ in range(1 + 3)]
        eventually(lambda: service.metric("mnist_requests_in_flight") == 5)  # and this one
        try:
            assert statuses(service, 8, LARGE) == {503: 8}
            assert service.read(bar()).status_code == 200
        finally:
            gate.touch()
        assert [one.result().status_code for one in taken] == [200] * 4


def test_those_who_wait_too_long_get_503(tmp_path, model):
    gate = tmp_path / "gate"
    with (
        served(tmp_path, model, limits="wait_seconds=1", before=GATED.format(gate=str(gate), small=0)) as service,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(service.read, LARGE)
        eventually(lambda: service.metric("mnist_requests_in_flight") == 2)
        try:
            assert statuses(service, 3, LARGE) == {503: 3}
        finally:
            gate.touch()
        assert first.result().status_code == 200


ONE_AT_A_TIME = """
import threading, time
from mnist_reader import Reader
read, alone = Reader.read, threading.Lock()
def exclusive(*arguments):
    if not alone.acquire(blocking=False):
        raise RuntimeError("two pictures at a time")
    time.sleep(0.2)  # in which another one would begin
    alone.release()
    return read(*arguments)
Reader.read = exclusive
"""


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["small", "large"])
def test_one_picture_is_read_at_a_time(tmp_path, model, content):
    with served(tmp_path, model, limits="wait_seconds=300", before=ONE_AT_A_TIME) as service:
        assert statuses(service, 8, content) == {200: 8}  # two at a time would be answered with 500


def test_body_that_does_not_arrive_gets_408(tmp_path, model):
    with served(tmp_path, model, limits="body_seconds=1") as service:
        answer = service.raw(post(b"half", length=100))
        assert status(answer) == 408 and b"expected the body within 1 s, found 4 bytes" in answer


def test_client_that_leaves_before_its_body_is_sent_is_no_error(tmp_path, model):
    with served(tmp_path, model) as service:
        with service.connect() as connection:
            connection.sendall(post(b"half", length=100))
        eventually(lambda: service.log())
        assert [(line["status"], "error" in line) for line in service.log()] == [(499, False)]


def test_requests_that_are_sent_ahead_are_answered_in_order(service):
    ahead = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20
    answer = service.raw(ahead + b"GET /about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.count(b'{"status":"ok"}') == 20 and answer.count(b"HTTP/1.1 200") == 21
    assert answer.endswith(b"}") and b'"classes"' in answer.rpartition(b"\r\n\r\n")[2]


@pytest.fixture
def many_files():
    """This process may open 4,000 files; the service that it starts begins with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


FEW_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(7)[1]))"
BEGUN = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\n",
    "a small part of a body": post(b"x" * 1000, length=MEBI),
    "a large part of a body": post(bytes(300_000), length=MEBI),
}


@pytest.mark.parametrize("begun", BEGUN)
def test_1500_slow_connections_leave_room_and_memory_for_honest_ones(tmp_path, model, many_files, begun):
    with served(tmp_path, model, before=FEW_FILES) as service, contextlib.ExitStack() as stack:
        for _ in range(1500):
            connection = stack.enter_context(service.connect())
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionResetError):
                connection.send(BEGUN[begun])
        assert Counter(service.read(bar()).status_code for _ in range(20)) == {200: 20}
        assert service.memory() < 600


def huge(side=8890):
    """A PNG of 79 megapixels with a bar, in colour, which a decoder needs 4 bytes a pixel for."""
    image = Image.new("RGB", (side, side), "white")
    image.paste((0, 0, 0), (side * 46 // 100, side // 10, side * 54 // 100, side * 9 // 10))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def test_six_pictures_of_79_megapixels_at_once_stay_under_600_mb(tmp_path, model):
    with served(tmp_path, model, limits="wait_seconds=300") as service:
        small, done = Counter(), threading.Event()

        def ask():
            while not done.is_set():
                small[service.read(bar()).status_code] += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            assert statuses(service, 6, huge()) == {200: 6}
        finally:
            done.set()
            thread.join()
        assert set(small) == {200}
        assert service.memory() < 600


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["small", "large"])
def test_200_clients_get_no_error_but_503(tmp_path, model, content):
    with served(tmp_path, model) as service:
        found = statuses(service, 200, content)
        assert set(found) <= {200, 503} and found[200] >= 1
