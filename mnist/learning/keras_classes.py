"""Which classes of Keras may be named in params.yaml and in architecture files, checked without importing Keras."""

import ast
import functools
import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from mnist.core.errors import nearest

# Layers that take code or files.
REFUSED_LAYERS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
REFUSED_LAYERS |= {"StringLookup", "IntegerLookup", "TextVectorization"}  # their vocabulary can be a file
UNUSABLE = {"Input", "Layer", "Wrapper", "Optimizer", "LossScaleOptimizer"}  # a function, base classes, wrappers
UNUSABLE |= {"CutMix", "MixUp"}  # mix images without their labels
# What Keras 3.15 cannot save to HDF5, or not load again.
UNUSABLE |= {"AugMix", "RandAugment", "RandomCrop", "Solarization", "Adafactor", "Lamb"}
NEGATIVE = {"beta_2_decay", "learning_rate_power"}  # the arguments of optimizers that may be below 0


@functools.cache
def keras_classes(module: str) -> frozenset[str]:
    """Names of the classes of `keras.<module>` that may be used, for `layers` or `optimizers`.

    They are read from Keras' source, which takes milliseconds; where Keras is laid out otherwise, it is imported.
    """
    names = _names_in_source(module) or set(dir(importlib.import_module(f"keras.{module}")))
    return frozenset(name for name in names if name[0].isupper()) - REFUSED_LAYERS - UNUSABLE


def _names_in_source(module: str) -> set[str]:
    """What `keras/<module>/__init__.py` imports by name; nothing where there is no such file."""
    spec = find_spec("keras")
    source = Path(spec.origin or "").with_name(module) / "__init__.py" if spec else Path()
    if not source.is_file():
        return set()
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def _known_class(spec: dict[str, dict[str, Any]], module: str) -> dict[str, dict[str, Any]]:
    (name,) = spec
    if name not in keras_classes(module):
        raise ValueError(f"expected a class of keras.{module}, found '{name}'{nearest(name, keras_classes(module))}")
    return spec


def _no_negative(spec: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    ((kind, arguments),) = spec.items()
    for key, value in arguments.items():
        if value < 0 and key not in NEGATIVE:
            raise ValueError(f"{kind}.{key}: expected at least 0, found {value}")
    return spec


# A Keras class and its own arguments: {Conv2D: {filters: 32, kernel_size: 3}}.
Layer = Annotated[
    dict[str, dict[str, JsonValue]],
    Field(min_length=1, max_length=1),
    AfterValidator(lambda spec: _known_class(spec, "layers")),
]
Optimizer = Annotated[
    dict[str, dict[str, bool | int | float]],
    Field(min_length=1, max_length=1),
    AfterValidator(lambda spec: _no_negative(_known_class(spec, "optimizers"))),
]
