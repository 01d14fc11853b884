"""What a model says about itself: it travels inside the exported files, so that a reader needs nothing else."""

import json
from typing import Literal, NamedTuple, get_args

from mnist_reader.core.errors import UserError

Preparation = Literal["ink", "fit"]


class AboutError(UserError):
    """A file that does not say what its model is."""


class About(NamedTuple):
    """The names and numbers that a reader needs beside the network."""

    title: str  # what a picture shows: "Handwritten digits"
    licence: str  # of the data, and whose they are
    classes: tuple[str, ...]  # names of the labels 0, 1, …
    preparation: Preparation  # of pictures: ink is cut out and centred as MNIST's was; fit takes the whole picture
    threshold: float  # a largest probability below this is unsure, 0–1
    version: str  # of the model's release

    @property
    def properties(self) -> dict[str, str]:
        """As text, for ONNX's metadata_props and their like."""
        return {name: json.dumps(value, ensure_ascii=False) for name, value in self._asdict().items()}

    @classmethod
    def of(cls, properties: dict[str, str], name: str) -> "About":
        """Read `properties` back.

        Raises:
            AboutError: one is missing or of another kind; the text begins with `name`.
        """
        try:
            fields = {field: json.loads(properties[field]) for field in cls._fields}
        except (KeyError, ValueError, RecursionError) as error:
            raise AboutError(
                f"{name}: expected a model that says its classes, found none ({error}); export it again"
            ) from None
        about, names = cls(**fields), fields["classes"] if isinstance(fields["classes"], list) else []
        texts = all(isinstance(text, str) for text in (about.title, about.licence, about.version, *names))
        texts = texts and all(name and name.isprintable() for name in names)  # answers are written to terminals
        texts = texts and len(set(names)) == len(names)
        fraction = isinstance(about.threshold, int | float) and 0 <= about.threshold <= 1
        if not (names and texts and fraction and about.preparation in get_args(Preparation)):
            raise AboutError(f"{name}: expected a model that says its classes, found {fields!a:.200}")
        return about._replace(classes=tuple(names))
