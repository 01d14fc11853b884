"""How strangers get the released model: the lines of README and docs, from a clone, from a web host and from S3."""

import contextlib
import functools
import hashlib
import http.server
import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.clones import MODEL, ROOT, Clone, digest, repository
from tests.project.conftest import KEYS
from tests.project.test_readme import block

ONNX = "models/export/MNIST_keras_CNN.onnx"


@pytest.fixture(scope="module")
def published(reproduced, tmp_path_factory):
    """A clone that has released its model by README's lines, and the bare repository that it has pushed to."""
    clone = reproduced.copy(tmp_path_factory.mktemp("published"))
    bare = clone.folder.parent / "bare.git"
    clone.run("git", "clone", "--quiet", "--bare", ".", str(bare))
    clone.run("git", "remote", "add", "origin", str(bare))
    clone.run("git", "fetch", "--quiet")
    clone.run("git", "branch", "--quiet", "--set-upstream-to=origin/main")
    clone.run("sh", "-ec", block("rm -rf released"))
    return clone


@pytest.fixture
def user(published, tmp_path):
    """A fresh clone of the bare repository."""
    folder = tmp_path / "user"
    published.run("git", "clone", "--quiet", str(published.folder.parent / "bare.git"), str(folder))
    return Clone(folder)


@contextlib.contextmanager
def web(folder):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=["http", "s3"])
def host(request, published, tmp_path):
    """An unrelated DVC project beside a host of `released/`: it, README's config for that host, and its url."""
    other = repository(tmp_path / "other")
    config = block("url = https://HOST/released")
    if request.param == "http":
        with web(published.folder / "released") as url:
            (other.folder / "mnist.config").write_text(config.replace("https://HOST/released", url))
            yield other
        return
    address = request.getfixturevalue("s3")
    other.environment = other.environment | KEYS
    uploader = published.copy(tmp_path / "uploader")
    uploader.environment = uploader.environment | KEYS
    uploader.run("dvc", "remote", "add", "s3", "s3://models/released")
    uploader.run("dvc", "remote", "modify", "s3", "endpointurl", address)
    uploader.run("dvc", "push", "--remote", "s3", "train", "export")
    config = config.replace("https://HOST/released", f"s3://models/released\n    endpointurl = {address}")
    (other.folder / "mnist.config").write_text(config)
    yield other


@pytest.mark.slow
def test_a_fresh_clone_pulls_the_release_checks_it_and_reads_a_picture(published, user):
    user.run("sh", "-ec", block("dvc pull --remote released models/export"))
    assert re.search(r"docs/digit\.png +\d", user.run("python", "-m", "apps.predict", "docs/digit.png"))
    assert digest(user, ONNX) == digest(published, ONNX)
    assert not (user.folder / MODEL).exists()


@pytest.mark.slow
def test_a_fresh_clone_reads_a_picture_with_the_wheel_by_readmes_lines(user, tmp_path):
    """With the libraries of the tests' own environment, so that nothing is downloaded."""
    user.run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    (packages,) = tmp_path.glob("venv/lib/python*/site-packages")
    (packages / "libraries.pth").write_text(str(Path(np.__file__).parents[1]))
    user.environment = user.environment | {"PATH": f"{tmp_path / 'venv/bin'}{os.pathsep}{user.environment['PATH']}"}
    user.run("sh", "-ec", "pip install --quiet --no-index --no-deps released/*.whl")
    (answer,) = [line for line in block("mnist-read docs/digit.png").splitlines() if "mnist-read" in line]
    assert re.search(r"docs/digit\.png +\d", user.run("sh", "-ec", answer))


@pytest.mark.slow
def test_a_push_to_the_users_own_remote_leaves_the_release_alone(published, tmp_path):
    clone = published.copy(tmp_path)
    clone.run("dvc", "push")
    assert clone.run("git", "status", "--porcelain") == ""
    assert len(clone.run("git", "ls-files", "released").splitlines()) < 30


@pytest.mark.slow
def test_a_release_holds_the_exports_and_the_model_and_nothing_else(published):
    objects = {path.read_bytes() for path in (published.folder / "released").rglob("*") if path.is_file()}
    named = {path.name for path in (published.folder / "released").iterdir() if path.is_file()}
    (wheel,) = (published.folder / "models/export").glob("mnist_reader-*.whl")
    assert named == {"MNIST_keras_CNN.h5", wheel.name}
    kept = {path.read_bytes() for path in (published.folder / "models/export").rglob("*") if path.is_file()}
    assert (published.folder / MODEL).read_bytes() in objects
    assert kept <= objects
    (listing,) = objects - kept - {(published.folder / MODEL).read_bytes()}
    assert listing.startswith(b"[{")


@pytest.mark.slow
def test_another_project_gets_it_from_a_clone(published, tmp_path):
    other = repository(tmp_path / "other")
    other.run("sh", "-ec", block("FOLDER-OF-THE-CLONE").replace("FOLDER-OF-THE-CLONE", str(published.folder)))
    assert digest(other, "export/MNIST_keras_CNN.onnx") == digest(published, ONNX)
    other.run("sh", "-ec", block("(cd export && sha256sum"))


@pytest.mark.slow
def test_another_project_gets_it_by_git_address_from_a_host(published, host):
    address = f"file://{published.folder.parent / 'bare.git'}"
    lines = (block(f"dvc {verb} URL") for verb in ("get", "import", "artifacts get"))
    get, track, artifact = (text.replace("URL-OF-THIS-REPOSITORY", address) for text in lines)
    track = track.splitlines()[-1]  # this project has its `dvc init` behind it
    host.run("sh", "-ec", get)
    host.run("sh", "-ec", block("(cd export && sha256sum"))
    assert digest(host, "export/MNIST_keras_CNN.onnx") == digest(published, ONNX)
    host.run("rm", "-r", "export")
    host.run("sh", "-ec", track)
    assert digest(host, "export/MNIST_keras_CNN.onnx") == digest(published, ONNX)
    host.run("sh", "-ec", artifact)
    assert digest(host, "MNIST_keras_CNN.h5") == digest(published, MODEL)


@pytest.mark.slow
def test_a_program_opens_it_by_git_address_from_a_web_host(published, tmp_path):
    other = repository(tmp_path / "other")
    code = block("import dvc.api").replace("URL-OF-THIS-REPOSITORY", f"file://{published.folder.parent / 'bare.git'}")
    with web(published.folder / "released") as url:
        code = code.replace("https://HOST/released", url) + "\nimport hashlib\nprint(hashlib.sha256(onnx).hexdigest())"
        assert other.run(sys.executable, "-c", code).strip() == digest(published, ONNX)


@pytest.mark.slow
def test_a_bit_that_flipped_on_the_way_is_found_by_readmes_check(published, tmp_path):
    clone, other = published.copy(tmp_path), repository(tmp_path / "other")
    content = (clone.folder / ONNX).read_bytes()
    (stored,) = [
        path for path in (clone.folder / "released").rglob("*") if path.is_file() and path.read_bytes() == content
    ]
    stored.chmod(0o644)
    stored.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    clone.run("rm", "-rf", ".dvc/cache", "models")
    other.run("sh", "-ec", block("FOLDER-OF-THE-CLONE").replace("FOLDER-OF-THE-CLONE", str(clone.folder)))
    check = other.start("sh", "-ec", block("(cd export && sha256sum"))
    output, _ = check.communicate()
    assert check.returncode != 0
    assert output == "MNIST_keras_CNN.onnx: FAILED\n"
    pull = clone.start("dvc", "pull", "--remote", "released", "models/export")
    pull.communicate()
    assert pull.returncode != 0
    assert not (clone.folder / ONNX).exists()


def test_a_clone_that_asks_git_for_windows_line_ends_has_the_same_bytes(tmp_path):
    def cloned(convert):
        folder = tmp_path / convert
        Clone(ROOT).run("git", "clone", "--quiet", "--config", f"core.autocrlf={convert}", ".", str(folder))
        files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(folder): path.read_bytes() for path in files}

    files = cloned("false")
    assert files[Path("params.yaml")].count(b"\n") > 10
    assert cloned("true") == files


by_authors = pytest.mark.skipif("CI" not in os.environ, reason="holds for the authors' commits; set CI=1 to run it")


@by_authors
def test_the_release_is_the_model_of_the_committed_lock_and_the_wheel_is_its_wheel():
    lock = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]
    outs = [out for stage in ("train", "export") for out in lock[stage]["outs"] if out["path"].startswith("models/")]
    objects = {md5: ROOT / f"released/files/md5/{md5[:2]}/{md5[2:]}" for md5 in (out["md5"] for out in outs)}
    assert all(path.is_file() for path in objects.values())
    (wheel,) = ROOT.glob("released/*.whl")
    md5 = hashlib.md5(wheel.read_bytes()).hexdigest()
    assert (ROOT / f"released/files/md5/{md5[:2]}/{md5[2:]}").is_file()


@by_authors
def test_the_committed_recipe_is_the_default_and_adapt_starts_from_the_released_model():
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "recipes/default.yaml").read_bytes()
    adapt = YAML(typ="safe").load(ROOT / "recipes/adapt.yaml")["train"]["initial_weights"]
    assert hashlib.sha256((ROOT / adapt["file"]).read_bytes()).hexdigest() == adapt["sha256"]
