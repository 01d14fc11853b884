"""The package's public names, and what it imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_reader
from tests.conftest import ROOT

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
