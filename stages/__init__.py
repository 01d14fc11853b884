"""The five stages that DVC runs."""

from mnist_reader.core.errors import require

MODULES = ("numpy", "pydantic", "ruamel", "polars", "requests", "tensorflow", "tf2onnx")

require("dvc repro", "requirements.txt", *MODULES, memory=4)

from mnist.core.inputs import CODE, Inputs, digests  # noqa: E402

_CODE = digests(CODE)  # now, since a stage's libraries take seconds to import


def inputs_of(stage: str) -> Inputs:
    """What a stage is about to read; to be checked before its results take their places."""
    return Inputs(stage, _CODE)
