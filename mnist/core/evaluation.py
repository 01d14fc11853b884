"""What a model answered when the evaluate stage asked it, in one file, and what follows from that."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mnist.core.errors import UserError
from mnist.core.files import atomic
from mnist.core.scoring import Doubts, Scores, doubts, is_unsure, score, threshold

UNSURE = 0.009  # of the held-out images may be called unsure


class EvaluationError(UserError):
    """The file holds no answers to these images."""


class Evaluation(NamedTuple):
    """Probabilities, each float32 `(n, classes)`."""

    test: np.ndarray  # to the test images
    held_out: np.ndarray  # to training images that no weight was learnt from
    out_of_class: dict[str, np.ndarray]  # to pictures of no class, by their kind

    @property
    def threshold(self) -> float:
        """The confidence below which an answer is unsure."""
        return threshold(self.held_out, UNSURE)

    def scores(self, labels: np.ndarray) -> Scores:
        """The scores on the test images, which have these labels `(n,)`."""
        return score(self.test, labels)

    def doubts(self, labels: np.ndarray) -> Doubts:
        """How much the model doubts the test images."""
        return doubts(self.test, labels, self.threshold)

    def unsure_of_no_class(self) -> dict[str, float]:
        """The fraction of the pictures of no class that is called unsure, by their kind."""
        return {kind: float(is_unsure(p, self.threshold).mean()) for kind, p in self.out_of_class.items()}

    def write(self, path: Path) -> None:
        """Write NumPy's zip archive; the same answers give the same bytes."""
        with atomic(path) as scratch, scratch.open("wb") as file:
            arrays: dict[str, Any] = {"test": self.test, "held_out": self.held_out, **self.out_of_class}
            np.savez(file, **arrays)


def read_evaluation(path: Path, shape: tuple[int, int]) -> Evaluation:
    """Read an evaluation back.

    Args:
        shape: of the answers to the test images: their number, and that of the classes.

    Raises:
        EvaluationError: no such archive, or answers of another shape.
    """
    with path.open("rb") as file:
        try:
            with np.load(file) as archive:
                arrays = {name: np.asarray(archive[name]) for name in archive.files}  # bytes where it has no header
            test, held_out = arrays.pop("test"), arrays.pop("held_out")
        except Exception:  # NumPy and zipfile raise whatever they stumble over
            raise EvaluationError(f"{path}: expected the model's answers; run the evaluate stage again") from None
    if test.shape != shape:
        raise EvaluationError(
            f"{path}: expected probabilities of shape {shape}, found {test.shape}; run the evaluate stage again"
        )
    return Evaluation(test, held_out, arrays)
