"""The model card and the checksums that travel with the exported model."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist.export.formats import Format
from mnist.files import sha256
from mnist.sections import Params

USES = ["Reading single handwritten digits, 0 to 9, that were prepared as MNIST's images were."]
LIMITS = [
    "It always answers: its probabilities say nothing about pictures that hold no digit, or several.",
    "The figures are those of MNIST's test images; other people's handwriting and other cameras lower them.",
    "It was trained on digits as Americans wrote them around 1990.",
]
LIBRARIES = ("tensorflow", "keras", "numpy", "onnx", "tf2onnx", "ai-edge-litert")

CARD = """\
# Handwritten digits: {architecture}

{parameters:,} parameters, trained by `{training}` (seed {seed}) on {num_training:,} images of `{dataset}`, with
{num_validation:,} more held out for validation.

## Results on the {num_images:,} test images

| accuracy | 95 % interval | loss | calibration error |
|---|---|---|---|
| {accuracy:.2%} | {accuracy_low:.2%} to {accuracy_high:.2%} | {loss:.4f} | {calibration_error:.4f} |

The Wilson interval reflects only the size of the test set; other seeds and other people's handwriting vary more.

## Use and limits

{limits}

## Input and output

Input: float32 `(n, 28, 28, 1)`, pixels / 255, so 0 to 1; white ink on black, the digit fitted into 20×20 pixels and
centred by its mass in 28×28, as MNIST's images are. Output: probabilities `(n, {count})` of the classes {names}.
The int8 LiteRT file takes the pixels as bytes 0 to 255 instead, and gives probabilities × 256 as bytes.

## Files

Each was loaded back in its own runtime and compared with the trained model on all test images. The Keras formats match
it bit for bit.

| file | bytes | accuracy | largest difference | changed predictions |
|---|---|---|---|---|
{rows}

Each block below can be pasted into Python in this folder, after

```python
import numpy as np

pixels = np.zeros((1, 28, 28, 1), np.uint8)  # your images
x = pixels / np.float32(255)
```

{usage}

`sha256sum -c SHA256SUMS` checks the files; `bom.cdx.json` describes the model to programs (CycloneDX 1.6).

## Made from

- parameters (architecture, training, seed): SHA-256 {parameters_sha256}
- data, SHA-256 of each file:
{data}
- {versions}

Model and code: MIT licence. Data: MNIST, Yann LeCun, Corinna Cortes and Christopher Burges, CC BY-SA 3.0.
"""


def card(
    params: Params,
    trained: dict[str, Any],
    metrics: dict[str, Any],
    report: dict[str, dict[str, Any]],
    formats: dict[str, Format],
) -> str:
    """The card's Markdown.

    Args:
        params: what the model was made from.
        trained: metrics/train.json.
        metrics: metrics/evaluate.json.
        report: metrics/export.json: per format `file`, `bytes`, `accuracy`, `max_probability_difference`,
            `changed_predictions`.
        formats: the rows of the table of formats that were written.
    """
    pair = params.pair()
    trained_from = json.dumps([pair.layers, pair.settings.model_dump(), pair.seed])
    files = params.chosen_dataset.sha256.model_dump(by_alias=True)
    return CARD.format(
        **metrics,
        dataset=params.dataset,
        architecture=pair.architecture,
        training=pair.training,
        seed=pair.seed,
        parameters=trained["parameters"],
        num_training=trained["num_images"],
        num_validation=trained["num_validation_images"],
        limits="\n".join(f"- {line}" for line in USES + LIMITS),
        count=len(metrics["classes"]),
        names=", ".join(row["name"] for row in metrics["classes"]),
        rows="\n".join(_row(result) for result in report.values()),
        usage="\n\n".join(_block(form) for form in formats.values()),
        parameters_sha256=hashlib.sha256(trained_from.encode()).hexdigest(),
        data="\n".join(f"  - {name} {digest}" for name, digest in files.items()),
        versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    )


def _block(form: Format) -> str:
    return f"`{form.file}`:\n\n```python\n{form.usage.format(file=form.file)}\n```"


def _row(result: dict[str, Any]) -> str:
    return (
        f"| {result['file']} | {result['bytes']:,} | {result['accuracy']:.2%} "
        f"| {result['max_probability_difference']:.1e} | {result['changed_predictions']} |"
    )


def checksums(folder: Path) -> str:
    """`sha256sum`'s listing of every file below `folder`."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests(folder).items())


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
