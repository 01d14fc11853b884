"""What apps.serve refuses: foreign pages and hosts, large and slow requests, and more work than it can do."""

import concurrent.futures
import contextlib
import io
import math
import os
import resource
import signal
import threading
from collections import Counter

import pytest
from PIL import Image

from mnist_reader.picture import MAX_PIXELS_COLOUR
from tests.apps.services import bar, eventually, post, proportional, served, status, write_model

pytestmark = pytest.mark.slow
MEBI = 2**20
LARGE = bar(side=1100)  # too large to be quick


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
        before, content = service.memory(), SIXTY[how]()
        with service.watched() as most:
            answer = service.raw(content)
        assert status(answer) == 413 and answer.endswith(b'bytes, found more"}')
        assert most[0] - before < 60


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


PART = b'--x\r\nContent-Disposition: form-data; name="f"%s\r\n'
NAMED = PART % b'; filename="a"'
FORMS = {
    "one file": NAMED + b"\r\n" + bytes(10 * MEBI - 200),
    "a file of half ends": NAMED + b"\r\n" + b"\r\n--" * (2 * MEBI),
    "many files of lines": (NAMED + b"\r\n" + b"\r\n" * 80_000 + b"\r\n") * 60,
    "many parts": (PART % b"" + b"\r\nx\r\n") * 150_000,
    "one long value": PART % b"" + b"\r\n" + b"x" * (9 * MEBI),
    "many headers": NAMED + b"X: a\r\n" * MEBI,
    "a long header": NAMED + b"X: " + b"a" * (9 * MEBI),
    "a long name": PART % (b'; filename="' + b"a;" * (4 * MEBI) + b'"'),
}
TEXTS = {
    "base64": b"QUJD" * (5 * MEBI // 2),
    "broken lines": b"QUJD\n" * (2 * MEBI),
    "nothing but spaces": b" \r" * (5 * MEBI),
    "a data URL without an end": b"data:image/" + b"a" * (9 * MEBI),
}
BODIES = {
    **{f"JSON: {name}": ("application/json", content) for name, content in JSONS.items()},
    **{f"form: {name}": ("multipart/form-data; boundary=x", body + b"\r\n--x--\r\n") for name, body in FORMS.items()},
    **{f"text: {name}": ("text/plain", content) for name, content in TEXTS.items()},
}
LOOP = """
import sys, time
from asyncio.events import Handle
run, longest = Handle._run, [0]
def timed(handle):
    start = time.thread_time()
    run(handle)
    took = time.thread_time() - start
    if took > longest[0]:
        longest[0] = took
        open({note!r}, "w").write(str(took))
if "apps.serve" in sys.orig_argv:
    Handle._run = timed
"""


def test_bodies_of_10_mb_stay_under_600_mb_and_hold_the_event_loop_for_50_ms_at_most(tmp_path, model):
    note = tmp_path / "longest"
    with served(tmp_path, model, before=LOOP.format(note=str(note))) as service:
        for name, (kind, content) in BODIES.items():
            assert len(content) <= 10 * MEBI, name
            with service.watched() as most:
                answer = service.read(content, headers={"Content-Type": kind})
            assert answer.status_code == 422 or "error" in answer.json()["readings"][0], name
            assert len(answer.text) <= 300 * 64, name
            assert most[0] < 600, name
            assert float(note.read_text()) < 0.05, name  # seconds of the loop's own processor time


def test_chunks_of_one_byte_are_taken_a_few_at_a_time(tmp_path, model):
    note = tmp_path / "longest"
    with served(tmp_path, model, before=LOOP.format(note=str(note))) as service:
        answer = service.raw(CHUNKS + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
        assert status(answer) == 422
        assert float(note.read_text()) < 0.05


def test_all_bodies_together_are_bounded_but_small_ones_taken(tmp_path, model):
    limits = "held_bytes=2**20, body_seconds=300, request_seconds=300"
    with served(tmp_path, model, limits=limits) as service, contextlib.ExitStack() as stack:

        def is_full():  # once the bytes of one of these have arrived while no other body was there
            stack.enter_context(service.connect()).sendall(post(bytes(MEBI - 1), length=MEBI))
            return service.read(bytes(2**17)).status_code == 503

        eventually(is_full)
        answer = service.read(bytes(2**17))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert service.read(bar()).status_code == 200


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, model):
    with served(tmp_path_factory.mktemp("token"), model, environment={"MNIST_TOKEN": "open sesame"}) as service:
        yield service


@pytest.mark.parametrize("path", ["/about", "/read", "/nowhere"])
def test_without_the_token_it_is_401(guarded, path):
    answer = guarded.get(path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert list(answer.json()) == ["detail"]


WRONG = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    "Bearer open",
    "Basic open sesame",
    "open sesame",
    "Bearer open sesame x",
    "Bearer\topen sesame",
    "Bearer, Bearer open sesame",
    "Bearer öpen sesame",
    "Bearer \ud800",
    "Bearer " + "x" * 15_000,
    "=" * 1000,
]


@pytest.mark.parametrize("value", WRONG)
def test_wrong_token_is_401(guarded, value):
    assert guarded.read(bar(), headers={"Authorization": value.encode(errors="surrogatepass")}).status_code == 401


def test_right_token_is_answered(guarded):
    assert guarded.read(bar(), headers={"Authorization": "bearer open sesame"}).status_code == 200


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
import os, time
from mnist_reader import Reader
read = Reader.read
def exclusive(*arguments):
    os.close(os.open({file!r}, os.O_CREAT | os.O_EXCL))
    time.sleep(0.2)  # in which another one would begin
    os.unlink({file!r})
    return read(*arguments)
Reader.read = exclusive
"""


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["quick", "slow"])
def test_one_picture_of_a_kind_is_read_at_a_time(tmp_path, model, content):
    before = ONE_AT_A_TIME.format(file=str(tmp_path / "reading"))
    with served(tmp_path, model, limits="wait_seconds=300", before=before) as service:
        assert statuses(service, 8, content) == {200: 8}  # two at a time would be answered with 500


SLOW = """
import os, time
from mnist_reader import Reader
read = Reader.read
def slow(self, content, name):
    while len(content) == {size} and not os.path.exists({gate!r}):
        {wait}
    return read(self, content, name)
Reader.read = slow
"""


def test_small_picture_that_takes_long_does_not_keep_others_waiting(tmp_path, model):
    gate, content = tmp_path / "gate", bar(side=90)
    before = SLOW.format(size=len(content), gate=str(gate), wait="pass")  # which takes processor time
    with (
        served(tmp_path, model, limits="read_seconds=300, request_seconds=300", before=before) as service,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        taken = [pool.submit(service.read, content) for _ in range(3)]
        eventually(lambda: service.metric("mnist_requests_in_flight") == 4)  # and this one
        try:
            assert [service.read(bar()).status_code for _ in range(20)] == [200] * 20
        finally:
            gate.touch()
        assert [one.result().status_code for one in taken] == [200] * 3


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["quick", "slow"])
def test_picture_that_takes_too_long_gets_503_and_the_next_one_is_read(tmp_path, model, content):
    before = SLOW.format(size=len(content), gate=str(tmp_path / "gate"), wait="time.sleep(0.01)")
    with served(tmp_path, model, limits="read_seconds=1, wait_seconds=300", before=before) as service:
        others = bar(side=90), bar(side=1110)
        assert [service.read(one).status_code for one in others] == [200, 200]
        answer = service.read(content)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        line = "expected a picture that is read within 1 s, found one that takes longer"
        assert answer.json() == {"detail": line}
        (tmp_path / "gate").touch()  # because a busy machine may take a second for the others
        eventually(lambda: [service.read(one).status_code for one in (content, *others)] == [200] * 3)


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["quick", "slow"])
def test_picture_that_ends_its_process_gets_500_in_one_line_and_the_next_one_is_read(tmp_path, model, content):
    wait = "os.kill(os.getpid(), 11)"
    before = SLOW.format(size=len(content), gate=str(tmp_path / "gate"), wait=wait)
    with served(tmp_path, model, before=before) as service:
        answer = service.read(content)
        detail = {"detail": "the service failed at this request; its log says why"}
        assert (answer.status_code, answer.json()) == (500, detail)
        eventually(lambda: any("has ended with code -11" in line.get("error", "") for line in service.log()))
        assert [service.read(one).status_code for one in (bar(side=90), bar(side=1110))] == [200, 200]


def test_process_that_is_killed_between_two_pictures_is_started_again(tmp_path, model):
    with served(tmp_path, model) as service:
        for content in (bar(), LARGE):
            _, *workers = service.processes()
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            eventually(lambda workers=workers: not sum(map(proportional, workers)))
            assert service.read(content).status_code == 200


def test_no_picture_is_opened_in_the_process_of_the_event_loop(tmp_path, model):
    note = tmp_path / "opened"
    before = f"""
import os
from PIL import Image
opened = Image.open
def noted(*arguments, **names):
    with open({str(note)!r}, "a") as file:
        file.write(str(os.getpid()) + " ")
    return opened(*arguments, **names)
Image.open = noted
"""
    with served(tmp_path, model, before=before) as service:
        files = [("f", ("one.png", bar())), ("f", ("two.png", LARGE))]
        assert [service.read(files=files).status_code, service.read(bar()).status_code] == [200, 200]
        _, *workers = service.processes()
    assert set(map(int, note.read_text().split())) == set(workers)


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


def huge():
    """A PNG of as many pixels as a picture may have, with a bar, in colour: a decoder needs 4 bytes a pixel for it."""
    side = math.isqrt(MAX_PIXELS_COLOUR)
    image = Image.new("RGB", (side, side), "white")
    image.paste((0, 0, 0), (side * 46 // 100, side // 10, side * 54 // 100, side * 9 // 10))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def test_six_of_the_largest_pictures_at_once_stay_under_600_mb(tmp_path, model):
    content, limits = huge(), "wait_seconds=300, read_seconds=300, request_seconds=300"
    with served(tmp_path, model, limits=limits) as service:
        small, done = Counter(), threading.Event()

        def ask():
            while not done.is_set():
                small[service.read(bar()).status_code] += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            with service.watched() as most:
                assert statuses(service, 6, content) == {200: 6}
        finally:
            done.set()
            thread.join()
        assert set(small) == {200}
        assert most[0] < 600


@pytest.mark.parametrize("content", [bar(), LARGE], ids=["small", "large"])
def test_200_clients_get_no_error_but_503(tmp_path, model, content):
    with served(tmp_path, model) as service:
        found = statuses(service, 200, content)
        assert set(found) <= {200, 503} and found[200] >= 1
