"""The package's public names, and what it imports."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mnist_reader
from tests.conftest import ROOT
from tests.linear import bar_or_ring, write_model

MODULES = sorted(Path(mnist_reader.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import mnist_reader.core.normalisation", {"onnxruntime", "mnist_reader.reader", "mnist_reader.picture"}),
        ("import mnist_reader; mnist_reader.PictureError", {"onnxruntime"}),
        (
            "from mnist_reader import Reader",
            {"mnist", "tensorflow", "keras", "scipy", "pandas", "fastapi", "pillow_heif"},
        ),
    ],
)
def test_an_import_loads_no_more_than_it_needs(code, unwanted):
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stdout.split())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_of_the_training_is_imported(module):
    imported = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            imported.add(node.module.partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"mnist_reader", "numpy", "PIL", "onnxruntime", "pillow_heif"}


def test_the_public_names_are_there_and_no_others():
    assert [getattr(mnist_reader, name).__name__ for name in mnist_reader.__all__] == mnist_reader.__all__
    assert {"Digit", "PictureError", "Reader", "Reading", "__version__"} <= set(dir(mnist_reader))
    with pytest.raises(AttributeError, match="Writer"):
        _ = mnist_reader.Writer


def test_a_fresh_clone_reads_with_the_released_model_and_one_that_was_trained_in_does_not(tmp_path):
    for name in ("mnist_reader", "released"):
        shutil.copytree(ROOT / name, tmp_path / name)
    read = [sys.executable, "-m", "mnist_reader", "--csv", str(ROOT / "docs/digit.png")]
    fresh = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert fresh.stdout.splitlines()[1].split(",")[1] == "7"
    (tmp_path / "models").mkdir()
    trained = subprocess.run(read, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert trained.stderr.startswith(
        f"error: {tmp_path}/models/export/MNIST_keras_CNN.onnx: expected the exported model"
    )


@pytest.mark.parametrize("images", [np.zeros((2, 28, 28)), np.zeros((2, 28, 27), np.uint8), [[0]]])
def test_what_is_no_array_of_prepared_images_is_refused_in_one_line(tmp_path, images):
    write_model(tmp_path / "some.onnx", bar_or_ring(np.float32(-0.1)))
    with pytest.raises(mnist_reader.PictureError, match=r"^images: expected uint8 \(n, 28, 28\), found [^\n]+$"):
        next(mnist_reader.Reader(tmp_path / "some.onnx").read_images(images))
