"""How other projects get the model: pushed to a folder and to S3, fetched from a project that knows nothing of it."""

import sys
from pathlib import Path

import pytest

from tests.clones import MODEL, digest, repository
from tests.project.conftest import KEYS

pytestmark = pytest.mark.slow
ONNX = "models/export/MNIST_keras_CNN.onnx"


@pytest.fixture
def pushed(reproduced, tmp_path):
    """A clone whose outputs are in the remote beside it, and no longer in its own cache."""
    clone = reproduced.copy(tmp_path / "published")
    clone.run("dvc", "push")
    clone.run("rm", "-rf", ".dvc/cache", "models", "data")
    return clone


@pytest.fixture
def elsewhere(tmp_path):
    """An unrelated DVC project."""
    return repository(tmp_path / "elsewhere")


def test_dvc_get_and_import_bring_the_same_bytes(reproduced, pushed, elsewhere):
    elsewhere.run("dvc", "get", str(pushed.folder), "models/export", "--out", "got")
    elsewhere.run("dvc", "import", str(pushed.folder), MODEL, "--out", "imported.h5")
    assert digest(elsewhere, f"got/{Path(ONNX).name}") == digest(reproduced, ONNX)
    assert digest(elsewhere, "imported.h5") == digest(reproduced, MODEL)
    assert (elsewhere.folder / "imported.h5.dvc").is_file()
    elsewhere.run("sh", "-c", "cd got && sha256sum --check --quiet SHA256SUMS")


def test_dvc_api_opens_the_model(reproduced, pushed, elsewhere):
    code = (
        "import dvc.api, hashlib, sys\n"
        f"with dvc.api.open({ONNX!r}, repo={str(pushed.folder)!r}, mode='rb') as file:\n"
        "    print(hashlib.sha256(file.read()).hexdigest())"
    )
    assert elsewhere.run(sys.executable, "-c", code).strip() == digest(reproduced, ONNX)


def test_dvc_artifacts_get_brings_a_version_by_its_tag(reproduced, pushed, elsewhere):
    pushed.run("git", "tag", "--annotate", "mnist@v1.0.0", "--message", "first release")
    elsewhere.run("dvc", "artifacts", "get", str(pushed.folder), "mnist", "--rev", "v1.0.0", "--out", "v1.h5")
    assert digest(elsewhere, "v1.h5") == digest(reproduced, MODEL)


def test_a_corrupted_object_in_the_remote_is_noticed_and_not_installed(pushed, elsewhere):
    storage = pushed.folder.parent / "mnist-dvc-storage"
    size = 0
    for path in storage.rglob("*"):
        if path.is_file() and path.read_bytes()[:4] == b"\x89HDF":
            content = bytearray(path.read_bytes())
            size += 1
            content[len(content) // 2] ^= 1
            path.chmod(0o644)
            path.write_bytes(content)
    assert size  # there was a model to corrupt
    process = pushed.start("dvc", "pull", MODEL)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert errors
    assert not (pushed.folder / MODEL).exists()


def test_a_push_to_s3_can_be_pulled_and_got(reproduced, elsewhere, s3, tmp_path):
    clone = reproduced.copy(tmp_path / "published")
    for user in (clone, elsewhere):
        user.environment = user.environment | KEYS
    clone.run("dvc", "remote", "add", "--force", "--default", "storage", "s3://models/mnist")
    clone.run("dvc", "remote", "modify", "storage", "endpointurl", s3)
    clone.commit("S3")
    clone.run("dvc", "push")
    clone.run("rm", "-rf", ".dvc/cache", "models", "data")
    elsewhere.run("dvc", "get", str(clone.folder), ONNX, "--out", "model.onnx")
    assert digest(elsewhere, "model.onnx") == digest(reproduced, ONNX)
    clone.run("dvc", "pull")
    assert digest(clone, MODEL) == digest(reproduced, MODEL)
