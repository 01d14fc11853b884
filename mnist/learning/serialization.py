"""The YAML and JSON of an architecture, both ways. What comes from outside is data; it runs no code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from mnist.core.errors import first_line
from mnist.learning.architecture import ArchitectureError
from mnist.learning.backend import keras
from mnist.learning.keras2 import from_keras_2, is_version_1_or_2
from mnist.learning.layers import refuse_foreign_code


def to_json(model: keras.Model) -> str:
    """The architecture as indented JSON, without the compile settings."""
    return json.dumps(_configuration(model), indent=2) + "\n"


def from_json(text: str) -> keras.Model:
    """An uncompiled model with this architecture and fresh weights.

    Raises:
        ArchitectureError: not JSON, or code from outside Keras.
    """
    with _one_line("architecture JSON"):
        return _from_configuration(_mapping(json.loads(text), "architecture JSON"))


def to_yaml(model: keras.Model) -> str:
    """The architecture as YAML: the same mapping as `to_json`."""
    return yaml.safe_dump(_configuration(model), sort_keys=False)


def _configuration(model: keras.Model) -> dict[str, Any]:
    return {key: value for key, value in json.loads(model.to_json()).items() if key != "compile_config"}


def _from_configuration(config: dict[str, Any]) -> keras.Model:
    return keras.models.model_from_json(json.dumps(config))


def from_yaml(text: str) -> keras.Model:
    """An uncompiled model with this architecture and fresh weights, from `to_yaml` here or from that of Keras 1 or 2.

    Raises:
        ArchitectureError: not YAML, a tag other than those of tuples and text, or code from outside Keras.
    """
    with _one_line("architecture YAML"):
        config = _mapping(yaml.load(text, _PlainLoader), "architecture YAML")
        if is_version_1_or_2(config.get("keras_version", 3)):
            return from_keras_2(config)
        return _from_configuration(config)


def _mapping(config: Any, what: str) -> dict[str, Any]:
    if not isinstance(config, dict) or not {"class_name", "config"} <= config.keys():
        raise ArchitectureError(f"{what}: expected a mapping with class_name and config, found none")
    plain = {key: value for key, value in config.items() if key != "compile_config"}
    refuse_foreign_code(plain)
    return plain


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Make one line of whatever the parsers and Keras find wrong with a text from outside."""
    try:
        yield
    except ArchitectureError:
        raise
    except Exception as error:
        raise ArchitectureError(f"{what}: {getattr(error, 'problem', None) or first_line(error)}") from None


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also takes Python's tuples and text as the lists and text that they are."""


def _sequence(loader: _PlainLoader, node: Any) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


def _scalar(loader: _PlainLoader, node: Any) -> Any:
    return loader.construct_scalar(node)


for _tag, _constructor in (("tuple", _sequence), ("unicode", _scalar), ("str", _scalar)):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _constructor)
