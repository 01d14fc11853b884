"""A bill of materials for machines: what the model is, what it was made from, what it is for.

Format: CycloneDX 1.6 with a model card (ECMA-424), https://cyclonedx.org/docs/1.6/json/.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from mnist.core.files import sha256
from mnist.export.card import LIBRARIES, Facts, digests, is_licensed, limits, uses

NAME = "bom.cdx.json"


def bill(facts: Facts, folder: Path) -> dict[str, Any]:
    """The bill of materials of an export, to be written as JSON; the same inputs give the same bill.

    Args:
        folder: the exported files, each of which is listed with its SHA-256.
    """
    files = facts.dataset.digests.items()
    datasets = [_component("data", f"{facts.recipe.dataset}/{name}", digest) for name, digest in files]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _model(facts, [part["bom-ref"] for part in datasets])},
        "components": [
            *(_component("file", name, digest) for name, digest in digests(folder).items()),
            *datasets,
            *(_library(name) for name in LIBRARIES),
        ],
    }


def _component(kind: str, name: str, digest: str) -> dict[str, Any]:
    return {"type": kind, "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _library(name: str) -> dict[str, Any]:
    release = version(name)
    return {"type": "library", "bom-ref": name, "name": name, "version": release, "purl": f"pkg:pypi/{name}@{release}"}


def _model(facts: Facts, datasets: list[str]) -> dict[str, Any]:
    recipe, about, (rows, columns) = facts.recipe, facts.source.about, facts.dataset.size
    return _component("machine-learning-model", "MNIST_keras_CNN", sha256(facts.source.file)) | {
        "version": about.version,
        "description": f"the recipe {recipe.recipe}, seed {recipe.seed}",
        **({"licenses": [{"license": {"id": "MIT"}}]} if is_licensed(recipe) else {}),
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": "image classification",
                "modelArchitecture": facts.source.model.name,
                "datasets": [{"ref": name} for name in datasets],
                "inputs": [{"format": f"float32 (n, {rows}, {columns}, 1) in 0 to 1, light on black"}],
                "outputs": [{"format": f"float32 (n, {len(about.classes)}), the probability of each class"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": _metrics(facts)},
            "considerations": {"useCases": uses(about), "technicalLimitations": limits(about)},
            "properties": [
                {"name": "parameters", "value": str(facts.source.model.count_params())},
                {"name": "training images", "value": str(facts.num_training)},
            ],
        },
    }


def _metrics(facts: Facts) -> list[dict[str, Any]]:
    scores, part = facts.evaluation.scores(facts.labels), f"{len(facts.labels)} test images"
    interval = {"lowerBound": str(scores.accuracy_low), "upperBound": str(scores.accuracy_high)}
    return [
        {"type": "accuracy", "value": str(scores.accuracy), "slice": part, "confidenceInterval": interval},
        {"type": "cross-entropy loss", "value": str(scores.loss), "slice": part},
        {"type": "expected calibration error", "value": str(scores.calibration_error), "slice": part},
    ]
