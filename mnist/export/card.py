"""The model card and the checksums that travel with the exported model."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.core.evaluation import Evaluation
from mnist.core.files import sha256
from mnist.core.sections import Dataset, Recipe, Training
from mnist.export.formats import Format
from mnist.export.proof import Proof
from mnist.export.runtime import Source
from mnist_reader.about import About, Preparation
from mnist_reader.core.normalisation import BOX
from mnist_reader.core.pixels import Shape

PREPARATION = {
    "ink": "white ink on black,\ncropped to the ink, fitted into {box[0]}×{box[1]} pixels with its sides' ratio kept, "
    "and centred by its mass at pixel {middle},\nas MNIST's images are",
    "fit": "the whole picture, light on black, its sides' ratio kept",
}
LIBRARIES = ("tensorflow", "keras", "numpy", "onnx", "tf2onnx", "ai-edge-litert")

MADE_UP = {
    "printed": "images drawn from fonts",
    "penned": "ones and sevens drawn with a pen",
    "out_of_class": "pictures of no class, and three quarters as many blurred copies",
}

RIGHTS = {True: "Model and code: MIT licence.", False: "Code: MIT licence. Model: its publisher decides."}
HUB = {"mnist": "ylecun/mnist", "fashion_mnist": "zalando-datasets/fashion_mnist"}  # data sets, as that site calls them
# What the Hugging Face Hub reads, https://huggingface.co/docs/hub/model-cards. Texts are JSON, which is YAML too.
FRONT_MATTER = """\
---
license: {model_licence}
library_name: keras
pipeline_tag: image-classification
tags: {tags}
{datasets}metrics: [accuracy]
model-index:
  - name: {name}
    results:
      - task: {{type: image-classification}}
        dataset: {{type: {dataset}, name: {name}, split: test}}
        metrics: [{{type: accuracy, value: {accuracy}}}]
---

"""

CARD = """\
# {title}: the recipe `{recipe}`

{parameters:,} parameters, {trained}

## Results on the {num_images:,} test images

| accuracy | 95 % interval | loss | calibration error |
|---|---|---|---|
| {accuracy:.2%} | {accuracy_low:.2%} to {accuracy_high:.2%} | {loss:.4f} | {calibration_error:.4f} |

The Wilson interval reflects only the size of the test set; other seeds and other people's pictures vary more.

## Use and limits

{limits}

## Input and output

Input: `image`, float32 `(n, {shape[0]}, {shape[1]}, 1)`, pixels / 255, so 0 to 1: {prepared}.
Output: `probabilities`, float32 `(n, {count})`, of the classes {names}.
The int8 LiteRT file takes the pixels as bytes 0 to 255 instead, and gives probabilities × 256 as bytes.

An answer whose largest probability is below {threshold:.4f} is unsure: the picture may be of no class. This calls
{unsure:.2%} of the test images unsure, and of made-up pictures of no class: {unsure_kinds}.

The names of the classes, the threshold and the rest of `about.json` are also in the ONNX file's `metadata_props`, in
the LiteRT files' metadata entry `about`, in the SavedModel's `assets.extra/about.json`, in `about.json` of the `.keras`
archive, and in the wheel.

## Files

Each was loaded back in its own runtime and compared with the trained model on all test images. The Keras formats match
it bit for bit.

| file | bytes | accuracy | largest difference | changed predictions |
|---|---|---|---|---|
{rows}

Each block below can be pasted into Python in this folder, after

```python
import numpy as np

pixels = np.zeros((1, {shape[0]}, {shape[1]}, 1), np.uint8)  # your images
x = pixels / np.float32(255)
```

{usage}

`sha256sum -c SHA256SUMS` checks the files; `bom.cdx.json` describes the model to programs (CycloneDX 1.6).

## Made from

- parameters (model, train, seed): SHA-256 {parameters_sha256}
- data, SHA-256 of each file:
{data}
- {library_versions}

{rights} Data: {licence}.
"""


class Facts(NamedTuple):
    """What the card and the bill of materials tell."""

    recipe: Recipe
    dataset: Dataset
    source: Source  # the model, and what its files say about themselves
    evaluation: Evaluation
    labels: np.ndarray  # of the test images
    num_training: int  # images
    num_validation: int  # images held out


def card(facts: Facts, proofs: list[Proof], formats: dict[str, Format]) -> str:
    """The card's Markdown.

    Args:
        proofs: of the formats that were written.
        formats: their rows of the table of formats.
    """
    recipe, dataset, about = facts.recipe, facts.dataset, facts.source.about
    trained_from = json.dumps([recipe.model, recipe.train.model_dump(), recipe.seed])
    kinds = facts.evaluation.unsure_of_no_class().items()
    return front_matter(facts, formats) + CARD.format(
        **facts.evaluation.scores(facts.labels)._asdict(),
        **about._asdict(),
        recipe=recipe.recipe,
        dataset=recipe.dataset,
        parameters=facts.source.model.count_params(),
        num_images=len(facts.labels),
        trained=trained(facts),
        shape=dataset.size,
        prepared=prepared(about.preparation, dataset.size),
        unsure=facts.evaluation.doubts(facts.labels).unsure,
        unsure_kinds=", ".join(f"{kind} {share:.1%}" for kind, share in kinds),
        limits="\n".join(f"- {line}" for line in (*uses(about), *limits(about))),
        count=len(about.classes),
        names=", ".join(about.classes),
        rows="\n".join(_row(proof) for proof in proofs),
        usage="\n\n".join(_block(form, about.version) for form in formats.values()),
        parameters_sha256=hashlib.sha256(trained_from.encode()).hexdigest(),
        data="\n".join(f"  - {name} {digest}" for name, digest in dataset.digests.items()),
        library_versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        rights=RIGHTS[is_licensed(recipe)],
    )


def front_matter(facts: Facts, formats: dict[str, Format]) -> str:
    """The lines at the top of the card that the Hugging Face Hub reads."""
    name, about = facts.recipe.dataset, facts.source.about
    digits = ["digits"] if set(about.classes) == set("0123456789") else []
    kinds = [kind for kind in ("keras", "onnx", "litert") if kind in formats]
    return FRONT_MATTER.format(
        model_licence="mit" if is_licensed(facts.recipe) else "other",
        tags=json.dumps(list(dict.fromkeys([name, *digits, *kinds]))),
        datasets=f"datasets: [{HUB[name]}]\n" if name in HUB else "",
        name=json.dumps(about.title, ensure_ascii=False),
        dataset=json.dumps(HUB.get(name, name)),
        accuracy=facts.evaluation.scores(facts.labels).accuracy,
    )


def is_licensed(recipe: Recipe) -> bool:
    """Whether the model is under the MIT licence, as the code is: one of these data and of no other model."""
    return recipe.dataset in HUB and bool(recipe.model)


def prepared(preparation: Preparation, shape: Shape) -> str:
    """How a picture becomes an image of this shape, in words."""
    box, middle = [round(BOX * side) for side in shape], tuple(side // 2 for side in shape)
    return PREPARATION[preparation].format(box=box, middle=middle)


def trained(facts: Facts) -> str:
    """How the weights came about, in words."""
    recipe, initial = facts.recipe, facts.recipe.train.initial_weights
    if initial and not recipe.train.epochs:
        return f"made elsewhere and taken as it is from `{initial.file}`, SHA-256\n`{initial.sha256}`."
    return (
        f"trained with seed {recipe.seed} on {facts.num_training:,} images of `{recipe.dataset}`, with "
        f"{facts.num_validation:,}\nmore held out for validation.{made_up(recipe.train)}"
    )


def made_up(training: Training) -> str:
    """Sentences about the images that a training adds and the weights that it starts from; nothing without either."""
    added = [f"{share:.0%} {text}" for name, text in MADE_UP.items() if (share := getattr(training, name))]
    sentence = f"\nMade-up images were added to these: {', '.join(added)}." if added else ""
    earlier = training.initial_weights
    return sentence + (f"\nIt started from the weights in `{earlier.file}`." if earlier else "")


def uses(about: About) -> list[str]:
    """What the model is for."""
    return [f"{about.title}: telling {len(about.classes)} classes apart in pictures prepared as below."]


def limits(about: About) -> list[str]:
    """What the model is not for."""
    return [
        "What is of no class is called unsure most of the time, not always; the figures are below.",
        f"The figures are those of the test images; other pictures lower them. The data: {about.licence}.",
    ]


def _block(form: Format, version: str) -> str:
    file = form.file(version)
    return f"`{file}`:\n\n```python\n{form.usage.format(file=file)}\n```"


def _row(proof: Proof) -> str:
    return (
        f"| {proof.file} | {proof.bytes:,} | {proof.accuracy:.2%} | {proof.max_probability_difference:.1e} "
        f"| {proof.changed_predictions} |"
    )


def checksums(folder: Path) -> str:
    """`sha256sum`'s listing of every file below `folder`."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests(folder).items())


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
