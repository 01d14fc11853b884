"""The export stage: what it writes beside the formats, what it refuses, and the signature over all of it."""

import csv
import hashlib
import subprocess
import sys

import numpy as np
import pytest

import mnist_reader
from mnist.core.errors import UserError
from mnist.core.evaluation import EvaluationError
from mnist.core.files import read_json
from mnist.core.table import TableError
from mnist.export.formats import FORMATS, FormatError
from mnist.export.proof import ExportError
from stages import export
from tests.conftest import write_params

pytestmark = pytest.mark.slow
NAME = "MNIST_keras_CNN"


@pytest.fixture
def project(evaluated):
    """The project with an earlier export."""
    (evaluated / "models/export").mkdir()
    (evaluated / "models/export/old.txt").write_text("old")
    return evaluated


def refused(project, kind, words):
    """Run the stage, which refuses in one line and leaves the earlier export as it was."""
    with pytest.raises(kind, match=rf"^[^\n]*{words}[^\n]*$"):
        export.main()
    assert [path.read_text() for path in (project / "models/export").iterdir()] == ["old"]
    assert {path.name for path in (project / "models").iterdir()} == {"export", f"{NAME}.h5"}
    assert not (project / "metrics/export.csv").exists()


def test_the_stage_writes_the_chosen_formats_a_card_a_bill_of_materials_and_checksums(project):
    export.main()
    folder = project / "models/export"
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    formats = [f"{NAME}.weights.h5", f"{NAME}.json"]
    assert written.keys() == {*formats, "README.md", "SHA256SUMS", "about.json", "bom.cdx.json"}
    about = read_json(folder / "about.json")
    held_out = np.load(project / "data/probabilities.npz")["held_out"].max(axis=1)
    assert about["threshold"] == pytest.approx(np.quantile(held_out, 0.009))
    assert (about["version"], about["classes"]) == (mnist_reader.__version__, list("0123456789"))
    sums = dict(line.split("  ")[::-1] for line in written.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
    listed = {part["name"] for part in read_json(folder / "bom.cdx.json")["components"] if part["type"] == "file"}
    assert listed == {*formats, "about.json"}
    with (project / "metrics/export.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["format"], row["file"]) for row in rows] == list(zip(["weights", "json"], formats, strict=True))
    assert {row["changed_predictions"] for row in rows} == {"0"}
    assert [int(row["bytes"]) for row in rows] == [len(written[name]) for name in formats]


@pytest.mark.parametrize(
    ("file", "damaged", "kind", "words"),
    [
        ("data/csv/train.csv", b"", TableError, r"train\.csv: expected columns"),
        ("data/probabilities.npz", b"PK", EvaluationError, "probabilities.npz: expected the model's answers"),
        (f"models/{NAME}.h5", b"x", UserError, "expected a Keras model"),
    ],
    ids=["table", "answers", "model"],
)
def test_what_the_stage_cannot_read_is_named_and_the_earlier_export_stays(project, file, damaged, kind, words):
    (project / file).write_bytes(damaged)
    refused(project, kind, words)


def test_a_format_that_is_not_known_is_named_and_the_earlier_export_stays(project, content):
    write_params(project, content | {"export": {"formats": ["h5", "onx"]}})
    refused(project, FormatError, r"params\.yaml: export\.formats\.1: .* found 'onx'; did you mean 'onnx'\?")


def wrong(images):
    return np.full((len(images), 10), 0.1)


def refuse(source, path):
    raise RuntimeError("\n<unknown>:0: error: no such operation")


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"load": lambda path, source: wrong}, ExportError, rf"models/export/{NAME}\.json: expected probabilities"),
        ({"write": refuse}, FormatError, r"params\.yaml: export\.formats: .* found json .*no such operation"),
    ],
    ids=["another model", "a format that cannot hold it"],
)
def test_a_format_that_is_not_the_model_is_named_and_the_earlier_export_stays(
    project, monkeypatch, change, kind, words
):
    monkeypatch.setitem(FORMATS, "json", FORMATS["json"]._replace(**change))
    refused(project, kind, words)


def test_a_signature_holds_for_the_export_and_for_no_other_bytes(project):
    pytest.importorskip("model_signing", reason="docs/publish.md says how to install it")

    def model_signing(*arguments):
        command = [sys.executable, "-m", "model_signing", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).returncode

    export.main()
    openssl = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem"]
    subprocess.run(openssl, check=True)
    subprocess.run(["openssl", "ec", "-in", "key.pem", "-pubout", "-out", "key.pub"], check=True, capture_output=True)
    assert model_signing("sign", "key", "models/export", "--private_key", "key.pem", "--signature", "export.sig") == 0
    verify = ("verify", "key", "models/export", "--public_key", "key.pub", "--signature", "export.sig")
    assert model_signing(*verify) == 0
    path = project / f"models/export/{NAME}.weights.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert model_signing(*verify) != 0
