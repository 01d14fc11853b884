"""The bill of materials, against the schema of CycloneDX."""

import hashlib
import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mnist.export.bom import bill
from mnist.learning.backend import keras

pytestmark = pytest.mark.slow


def test_the_bill_of_materials_is_valid_and_names_every_file_by_its_hash(facts, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/some.onnx").write_bytes(b"abc")
    made = bill(facts, tmp_path)
    text = json.dumps(made)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"supervised"', '"guessed"')) is not None
    hashes = {part["name"]: part["hashes"][0]["content"] for part in made["components"] if "hashes" in part}
    # FIPS 180-2, appendix B.1
    assert hashes.pop("sub/some.onnx") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashes == {f"digits/{name}": digest for name, digest in facts.dataset.digests.items()}
    model = made["metadata"]["component"]
    assert model["hashes"][0]["content"] == hashlib.sha256(facts.source.file.read_bytes()).hexdigest()
    versions = {part["name"]: part["version"] for part in made["components"] if part["type"] == "library"}
    assert versions["keras"] == keras.__version__
    assert "licenses" not in model  # that of a model of other data is for its publisher to say
    published = facts._replace(recipe=facts.recipe.model_copy(update={"dataset": "mnist"}))
    assert bill(published, tmp_path)["metadata"]["component"]["licenses"] == [{"license": {"id": "MIT"}}]
    accuracy = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]
    assert float(accuracy["value"]) == (facts.evaluation.test.argmax(axis=1) == facts.labels).mean()
