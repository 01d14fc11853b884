"""The five stages that DVC runs."""

import os

from mnist_reader.core.errors import require
from mnist_reader.core.process import end_with_parent

MODULES = ("numpy", "pydantic", "ruamel", "polars", "requests", "tensorflow", "tf2onnx")

if "DVC_STAGE" in os.environ:  # set by DVC
    end_with_parent()
require("dvc repro", "requirements.txt", *MODULES, memory=4)

from mnist.core.inputs import CODE, Inputs, digests

_CODE = digests(CODE)  # now, since a stage's libraries take seconds to import


def inputs_of(stage: str) -> Inputs:
    """What a stage is about to read; to be checked before its results take their places."""
    return Inputs(stage, _CODE)
