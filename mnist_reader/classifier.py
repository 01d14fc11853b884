"""The exported model on ONNX Runtime: no TensorFlow, loaded in milliseconds."""

import os
from pathlib import Path

import numpy as np

from mnist_reader.core.errors import UserError, first_line
from mnist_reader.core.pixels import Shape, scale

_TELEMETRY_IS_OFF = "ORT_DISABLE_TELEMETRY" in os.environ
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime 1.31 looks when imported, and would write a file
import onnxruntime  # noqa: E402

if not _TELEMETRY_IS_OFF:
    del os.environ["ORT_DISABLE_TELEMETRY"]

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
                f"{path}: expected the exported model, found no such file; "
                "run `dvc repro`, or `dvc pull --remote released models/export`"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # fatal; what fails is raised as well
        options.intra_op_num_threads = 1  # leaves the other cores to those who prepare
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common class below Exception
            raise ClassifierError(f"{path}: expected an ONNX model, found: {first_line(error)}") from None
        ports = (*self._session.get_inputs(), *self._session.get_outputs())
        match [list(port.shape[1:]) for port in ports]:
            case [[int(rows), int(columns), 1], [int(classes)]]:
                self.shape: Shape = (rows, columns)
                self.classes: int = classes
            case shapes:
                raise ClassifierError(
                    f"{path}: expected (n, rows, columns, 1) → (n, classes), found shapes (n, …) of {shapes}"
                )
        self._input = ports[0].name
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of `uint8` images `(n, *shape)`, 0 = paper."""
        return self.infer(scale(images.astype(np.float32)))

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of the model's own input, float32 `(n, *shape, 1)` in 0–1."""
        batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        probabilities = [self._session.run(None, {self._input: batch})[0] for batch in batches]
        return np.concatenate(probabilities) if batches else np.zeros((0, self.classes), np.float32)
