"""A remote of the user's own: a damaged one, and one on S3. test_released.py has the released one."""

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


def test_a_corrupted_object_in_the_remote_is_noticed_and_not_installed(pushed):
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
