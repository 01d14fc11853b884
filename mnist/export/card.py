"""The model card and the checksums that travel with the exported model."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist.files import sha256

LIBRARIES = ("tensorflow", "keras", "numpy", "onnx", "tf2onnx", "ai-edge-litert")

CARD = """\
# Handwritten digits: {architecture}

{parameters:,} parameters, trained by `{training}` (seed {seed}) on {num_training:,} images of `{dataset}`, with
{num_validation:,} more held out for validation.

## Results on the {num_images:,} test images

| accuracy | 95 % interval | loss | calibration error |
|---|---|---|---|
| {accuracy:.2%} | {accuracy_low:.2%} to {accuracy_high:.2%} | {loss:.4f} | {calibration_error:.4f} |

The interval (Wilson) is that of the test sample: other seeds and other people's handwriting differ more.

## Input and output

Input: float32 `(n, 28, 28, 1)`, pixels / 255, so 0 to 1; white ink on black, the digit fitted into 20×20 pixels and
centred by its mass in 28×28, as MNIST's images are. Output: probabilities `(n, {count})` of the classes {names}.
The int8 LiteRT file takes the pixels as bytes 0 to 255 instead, and gives probabilities × 256 as bytes.

## Files

Each was loaded back in its own runtime and compared with the trained model on all test images; those that Keras loads,
bit for bit.

| file | bytes | accuracy | largest difference | changed predictions |
|---|---|---|---|---|
{rows}

With `x` the float32 input and `pixels` the same as bytes, both `(n, 28, 28, 1)`:

{usage}

`sha256sum -c SHA256SUMS` checks the files.

## Made from

- parameters (architecture, training, seed): SHA-256 {parameters_sha256}
- data, SHA-256 of each file:
{data}
- {versions}

Model and code: MIT licence. Data: MNIST, Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
"""


def card(metrics: dict[str, Any], settings: dict[str, Any], report: dict[str, Any], usage: list[str]) -> str:
    """The card's Markdown.

    Args:
        metrics: metrics/evaluate.json.
        settings: `dataset`, `num_training`, `num_validation`, `architecture`, `training`, `seed`, `parameters`,
            `layers`, `training_settings`, `sha256` (of the data).
        report: metrics/export.json: per file `bytes`, `accuracy`, `max_probability_difference`, `changed_predictions`.
        usage: for each file a line of Python.
    """
    trained_from = [settings["layers"], settings["training_settings"], settings["seed"]]
    return CARD.format(
        **metrics | settings,
        count=len(metrics["classes"]),
        names=", ".join(metrics["classes"]),
        rows="\n".join(_row(result) for result in report.values()),
        usage="\n".join(f"- `{line}`" for line in usage),
        parameters_sha256=hashlib.sha256(json.dumps(trained_from).encode()).hexdigest(),
        data="\n".join(f"  - {name} {digest}" for name, digest in settings["sha256"].items()),
        versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    )


def _row(result: dict[str, Any]) -> str:
    return (
        f"| {result['file']} | {result['bytes']:,} | {result['accuracy']:.2%} "
        f"| {result['max_probability_difference']:.1e} | {result['changed_predictions']} |"
    )


def checksums(folder: Path) -> str:
    """`sha256sum`'s listing of every file below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
