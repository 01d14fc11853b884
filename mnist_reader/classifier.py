"""The exported model on ONNX Runtime: no TensorFlow, loaded in milliseconds."""

import os
import zipfile
from pathlib import Path

import numpy as np

from mnist_reader.core.errors import UserError, first_line
from mnist_reader.core.pixels import LARGEST, SMALLEST, Shape, scale

_TELEMETRY_IS_OFF = "ORT_DISABLE_TELEMETRY" in os.environ
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime 1.31 looks when imported, and would write a file
import onnxruntime  # noqa: E402

if not _TELEMETRY_IS_OFF:
    del os.environ["ORT_DISABLE_TELEMETRY"]

BATCH = 64  # images; throughput on a CPU is flat from here on
SLACK = 0.01  # by which probabilities may miss 1 in all


class ClassifierError(UserError):
    """The model's file is missing, or holds no classifier of images."""


class Classifier:
    """Classifier of images: float32 `(n, *shape, 1)` in 0–1 → probabilities `(n, classes)`, from an ONNX file."""

    def __init__(self, path: Path | zipfile.Path) -> None:
        """Load the model.

        Raises:
            ClassifierError: no such file, no ONNX, other inputs and outputs, or answers that are no probabilities.
        """
        if not path.is_file():
            raise ClassifierError(
                f"{path}: expected the exported model, found no such file; "
                "run `dvc repro`, or `dvc pull --remote released models/export`, or name one with --model"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # fatal; what fails is raised as well
        options.intra_op_num_threads = 1  # leaves the other cores to those who prepare
        content = path.read_bytes()  # not its path, since an ONNX file can name others
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common class below Exception
            raise ClassifierError(f"{path}: expected an ONNX model, found: {first_line(error)}") from None
        ports = (*self._session.get_inputs(), *self._session.get_outputs())
        match [list(port.shape[1:]) for port in ports]:
            case [[int(rows), int(columns), 1], [int(classes)]] if _is_possible(rows, columns, classes):
                self.shape: Shape = (rows, columns)
                self.classes: int = classes
            case shapes:
                raise ClassifierError(
                    f"{path}: expected (n, rows, columns, 1) → (n, classes), found shapes (n, …) of {shapes}"
                )
        self._input = ports[0].name
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._try(path)

    def _try(self, path: Path | zipfile.Path) -> None:
        """Ask for blank and full images, since a file may say other shapes and types than its graph has.

        Raises:
            ClassifierError: no probability for each class comes back.
        """
        blank, full = np.zeros(self.shape, np.uint8), np.full(self.shape, 255, np.uint8)
        try:
            answers = self(np.stack([blank, full, blank]))
        except Exception as error:  # ONNX Runtime's own, as above
            raise ClassifierError(
                f"{path}: expected a model that takes float32 images, found: {first_line(error)}"
            ) from None
        if answers.shape != (3, self.classes):
            raise ClassifierError(f"{path}: expected answers of shape {(3, self.classes)}, found {answers.shape}")
        if not (answers.min() >= 0 and np.abs(answers.sum(axis=1) - 1).max() < SLACK):  # NaN is neither
            raise ClassifierError(f"{path}: expected probabilities, found {answers[0].tolist()!s:.100}")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of `uint8` images `(n, *shape)`, 0 = paper."""
        return self.infer(scale(images.astype(np.float32)))

    def infer(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, classes)`, of the model's own input, float32 `(n, *shape, 1)` in 0–1."""
        batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        probabilities = [self._session.run(None, {self._input: batch})[0] for batch in batches]
        return np.concatenate(probabilities) if batches else np.zeros((0, self.classes), np.float32)


def _is_possible(rows: int, columns: int, classes: int) -> bool:
    return all(SMALLEST <= side <= LARGEST for side in (rows, columns)) and classes >= 2
