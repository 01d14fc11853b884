"""The exported model on ONNX Runtime: no TensorFlow, loaded in milliseconds."""

from pathlib import Path

import numpy as np
import onnxruntime

from mnist.errors import PipelineError, first_line
from mnist.pixels import scale

BATCH = 64  # images; throughput on a CPU is flat from here on
CLASSES = 10


class ClassifierError(PipelineError):
    """The model's file is missing, or holds no digit classifier."""


class Classifier:
    """Digit classifier: float32 `(n, 28, 28, 1)` in 0–1 → probabilities `(n, 10)`, from an ONNX file."""

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
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # leaves the cores to those who prepare
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common class below Exception
            raise ClassifierError(f"{path}: expected an ONNX model, found: {first_line(error)}") from None
        self._check(path)

    def _check(self, path: Path) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [list(port.shape[1:]) for port in (*inputs, *outputs)]
        if found != [[28, 28, 1], [CLASSES]]:
            raise ClassifierError(f"{path}: expected (n, 28, 28, 1) → (n, {CLASSES}), found shapes (n, …) of {found}")
        self._input = inputs[0].name

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities, float32 `(n, 10)`, of `uint8` images `(n, 28, 28)`, 0 = paper."""
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        answers = [self._session.run(None, {self._input: scale(part.astype(np.float32))})[0] for part in parts]
        return np.concatenate(answers) if answers else np.zeros((0, CLASSES), np.float32)
