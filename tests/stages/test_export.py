"""The export stage: what it writes beside the formats, what it refuses, and the signature over all of it."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mnist.core.files import read_json, sha256, write_json
from mnist.core.scoring import score
from mnist.core.table import TableError, write_csv
from mnist.export.formats import FORMATS, FormatError
from mnist.export.proof import ExportError
from mnist.learning.backend import keras
from mnist.learning.model import predict
from stages import export
from tests import digits
from tests.conftest import write_params

pytestmark = pytest.mark.slow
NAME = "MNIST_keras_CNN"


@pytest.fixture
def project(project, content, tiny_model, real_digits):
    """The shared folder with all that the stage reads; two formats chosen."""
    write_params(project, content | {"export": {"formats": ["weights", "json"]}})
    write_csv([tuple(part[:50] for part in real_digits)], project / "data/csv/train.csv")
    images, labels = (part[digits.TRAIN :] for part in real_digits)
    counts = {"num_images": 60, "num_validation_images": 12, "parameters": tiny_model.count_params()}
    write_json(project / "metrics/train.json", counts)
    expected = predict(tiny_model, images)
    np.save(project / "data/probabilities.npy", expected)
    metrics = score(expected, labels, list("0123456789"))
    unsure = {"threshold": 0.5, "test_images": 0.01, "no_class": {"noise": 1.0}}
    per_class = [{"name": name} for name in "0123456789"]
    write_json(project / "metrics/evaluate.json", metrics | {"classes": per_class, "unsure": unsure})
    (project / "pyproject.toml").write_text('[project]\nversion = "7.8.9"\n')
    return project


@pytest.mark.parametrize("damaged", [b"", b"label,pixel0\n"], ids=["empty", "a header alone"])
def test_a_training_table_without_images_is_refused(project, damaged):
    (project / "data/csv/train.csv").write_bytes(damaged)
    with pytest.raises(TableError, match=r"train\.csv: expected"):
        export.main()


def test_the_stage_writes_the_chosen_formats_a_card_and_checksums(project):
    export.main()
    folder = project / "models/export"
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{NAME}.weights.h5", f"{NAME}.json", "README.md", "SHA256SUMS", "about.json", "bom.cdx.json"}
    about = read_json(folder / "about.json")
    assert (about["threshold"], about["version"], about["classes"]) == (0.5, "7.8.9", list("0123456789"))
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: sha256(folder / name) for name in names - {"SHA256SUMS"}}
    report = read_json(project / "metrics/export.json")
    assert list(report) == ["weights", "json"]
    assert all(row["changed_predictions"] == 0 for row in report.values())
    assert report["json"]["bytes"] == (folder / f"{NAME}.json").stat().st_size


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_each_block_of_the_written_card_runs_after_the_first_alone(project, monkeypatch):
    export.main()
    monkeypatch.chdir(project / "models/export")
    first, *blocks = re.findall(r"```python\n(.*?)\n```", (project / "models/export/README.md").read_text(), re.S)
    assert len(blocks) == 2
    for block in blocks:
        *lines, last = block.splitlines()
        names = {}
        exec("\n".join([first, *lines]), names)
        assert eval(last, names).shape == (1, 10)


@pytest.mark.parametrize(
    ("damaged", "found"),
    [
        (b"", "array"),
        (b"no array", "array"),
        (b"\x93NUMPY\x01\x00", "array"),
        (b"PK", "array"),
        (None, r"\(360, 10\), found \(2, 10\)"),
    ],
    ids=["empty", "text", "truncated", "zip", "of other images"],
)
def test_damaged_predictions_of_the_evaluate_stage_are_refused(project, damaged, found):
    path = project / "data/probabilities.npy"
    if damaged is None:
        np.save(path, np.full((2, 10), 0.1, np.float32))
    else:
        path.write_bytes(damaged)
    with pytest.raises(ExportError, match=rf"^data/probabilities\.npy: expected .*{found}"):
        export.main()


def test_a_failed_export_leaves_the_old_folder_and_report(project, monkeypatch):
    old = project / "models/export"
    old.mkdir()
    (old / "kept.txt").write_text("old")
    wrong = FORMATS["json"]._replace(load=lambda path, model: lambda images: np.full((len(images), 10), 0.1))
    monkeypatch.setitem(FORMATS, "json", wrong)
    with pytest.raises(ExportError, match=rf"models/export/{NAME}\.json: expected probabilities"):
        export.main()
    assert [path.read_text() for path in old.iterdir()] == ["old"]
    assert [path.name for path in (project / "models").iterdir() if path.name.startswith(".")] == []
    assert not (project / "metrics/export.json").exists()


def test_the_bill_of_materials_is_valid_and_names_every_file_by_its_hash(project):
    export.main()
    folder = project / "models/export"
    text = (folder / "bom.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"supervised"', '"guessed"')) is not None
    bill = json.loads(text)
    hashes = {part["name"]: part["hashes"][0]["content"] for part in bill["components"] if "hashes" in part}
    for name in (f"{NAME}.weights.h5", f"{NAME}.json", "about.json"):
        assert hashes.pop(name) == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    digests = {f"mnist/{name}": digest for name, digest in read_yaml(project)["datasets"]["mnist"]["sha256"].items()}
    assert hashes == digests
    model = bill["metadata"]["component"]
    assert model["hashes"][0]["content"] == hashlib.sha256((project / f"models/{NAME}.h5").read_bytes()).hexdigest()
    versions = {part["name"]: part["version"] for part in bill["components"] if part["type"] == "library"}
    assert versions["keras"] == keras.__version__
    accuracy = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]
    assert float(accuracy["value"]) == read_json(project / "metrics/evaluate.json")["accuracy"]


def read_yaml(project):
    return yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))


def test_a_format_that_cannot_hold_the_model_is_named(project, monkeypatch):
    def refuse(source, path):
        raise RuntimeError("\n<unknown>:0: error: no such operation")

    monkeypatch.setitem(FORMATS, "json", FORMATS["json"]._replace(write=refuse))
    with pytest.raises(FormatError, match=r"^params\.yaml: export\.formats: .* found json .*no such operation$"):
        export.main()
    assert not (project / "models/export").exists()


def test_a_signature_holds_for_the_export_and_for_no_other_bytes(project):
    pytest.importorskip("model_signing", reason="requirements-signing.txt is not installed")

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
