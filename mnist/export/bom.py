"""A bill of materials for machines: what the model is, what it was made from, what it is for.

Format: CycloneDX 1.6 with a model card (ECMA-424), https://cyclonedx.org/docs/1.6/json/.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist.core.files import sha256
from mnist.core.sections import Params
from mnist.export.card import LIBRARIES, digests, limits, uses
from mnist_reader.about import About

NAME = "bom.cdx.json"


def bill(
    params: Params, trained: dict[str, Any], metrics: dict[str, Any], model: Path, folder: Path, about: About
) -> dict[str, Any]:
    """The bill of materials of an export, to be written as JSON; the same inputs give the same bill.

    Args:
        params: what the model was made from.
        trained: metrics/train.json.
        metrics: metrics/evaluate.json.
        model: the HDF5 file that all formats were made from.
        folder: the exported files, each of which is listed with its SHA-256.
        about: what the files say about themselves.
    """
    data = params.chosen_dataset.sha256.model_dump(by_alias=True).items()
    datasets = [_component("data", f"{params.dataset}/{name}", digest) for name, digest in data]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _model(params, trained, metrics, datasets, sha256(model), about)},
        "components": [
            *(_component("file", name, digest) for name, digest in digests(folder).items()),
            *datasets,
            *(_library(name) for name in LIBRARIES),
        ],
    }


def _component(kind: str, name: str, digest: str) -> dict[str, Any]:
    return {"type": kind, "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _library(name: str) -> dict[str, Any]:
    found = version(name)
    return {"type": "library", "bom-ref": name, "name": name, "version": found, "purl": f"pkg:pypi/{name}@{found}"}


def _model(
    params: Params,
    trained: dict[str, Any],
    metrics: dict[str, Any],
    datasets: list[dict[str, Any]],
    digest: str,
    about: About,
) -> dict[str, Any]:
    pair = params.pair()
    interval = {"lowerBound": str(metrics["accuracy_low"]), "upperBound": str(metrics["accuracy_high"])}
    slice_ = f"{metrics['num_images']} test images"
    return _component("machine-learning-model", "MNIST_keras_CNN", digest) | {
        "version": about.version,
        "description": f"{pair.architecture}, trained by {pair.training}, seed {pair.seed}",
        "licenses": [{"license": {"id": "MIT"}}],
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": "image classification",
                "modelArchitecture": pair.architecture,
                "datasets": [{"ref": part["bom-ref"]} for part in datasets],
                "inputs": [{"format": f"float32 (n, {pair.shape[0]}, {pair.shape[1]}, 1) in 0 to 1, light on black"}],
                "outputs": [{"format": f"float32 (n, {len(pair.classes)}), the probability of each class"}],
            },
            "quantitativeAnalysis": {
                "performanceMetrics": [
                    {
                        "type": "accuracy",
                        "value": str(metrics["accuracy"]),
                        "slice": slice_,
                        "confidenceInterval": interval,
                    },
                    {"type": "cross-entropy loss", "value": str(metrics["loss"]), "slice": slice_},
                    {"type": "expected calibration error", "value": str(metrics["calibration_error"]), "slice": slice_},
                ]
            },
            "considerations": {"useCases": uses(about), "technicalLimitations": limits(about)},
            "properties": [
                {"name": "parameters", "value": str(trained["parameters"])},
                {"name": "training images", "value": str(trained["num_images"])},
            ],
        },
    }
