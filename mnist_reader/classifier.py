"""The exported model on ONNX Runtime: no TensorFlow, loaded in milliseconds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mnist_reader.core.errors import UserError, first_line
from mnist_reader.core.pixels import Shape, scale


@contextmanager
def _untold() -> Iterator[None]:
    """Keep ONNX Runtime 1.31 from gathering what it would send to its makers; it looks when it is imported."""
    before = os.environ.get("ORT_DISABLE_TELEMETRY")
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        yield
    finally:
        del os.environ["ORT_DISABLE_TELEMETRY"]
        if before is not None:
            os.environ["ORT_DISABLE_TELEMETRY"] = before


with _untold():
    import onnxruntime

BATCH = 64  # images; throughput on a CPU is flat from here on


class ClassifierError(UserError):
    """The model's file is missing, or holds no classifier of images."""


class Classifier:
    """Classifier of images: float32 `(n, *shape, 1)` in 0–1 → probabilities `(n, classes)`, from an ONNX file."""

    def __init__(self, path: Path) -> None:
        """Load the model.

        Raises:
            ClassifierError: no such file, no ONNX, or other inputs and outputs.
        """
        if not path.is_file():
            raise ClassifierError(
                f"{path}: expected the exported model, found no such file; run `dvc repro` or `dvc pull`"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # fatal; what fails is raised as well
        options.intra_op_num_threads = 1  # leaves the other cores to those who prepare
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common class below Exception
            raise ClassifierError(f"{path}: expected an ONNX model, found: {first_line(error)}") from None
        self._check(path)
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def _check(self, path: Path) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [list(port.shape[1:]) for port in (*inputs, *outputs)]
        known = all(isinstance(size, int) for sizes in found for size in sizes)
        if [len(sizes) for sizes in found] != [3, 1] or not known or found[0][2] != 1:
            raise ClassifierError(
                f"{path}: expected (n, rows, columns, 1) → (n, classes), found shapes (n, …) of {found}"
            )
        self._input = inputs[0].name
        self.shape: Shape = (found[0][0], found[0][1])
        self.classes: int = found[1][0]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of `uint8` images `(n, *shape)`, 0 = paper."""
        return self.infer(scale(images.astype(np.float32)))

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of the model's own input, float32 `(n, *shape, 1)` in 0–1."""
        parts = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        answers = [self._session.run(None, {self._input: part})[0] for part in parts]
        return np.concatenate(answers) if answers else np.zeros((0, self.classes), np.float32)
