"""The five stages that DVC runs."""

from mnist_reader.core.errors import require

require("dvc repro", "requirements.txt", "numpy", "pydantic", "ruamel", "polars", "requests", "tensorflow", "tf2onnx")
