"""Train a pair: one network, or several as one model that averages their probabilities."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean

from mnist.core.sections import Pair
from mnist.learning.backend import keras
from mnist.learning.checkpoint import History, checkpoints
from mnist.learning.feed import Data
from mnist.learning.training import COMPILED, train


@contextmanager
def trained(
    pair: Pair, data: Data, folder: Path, callbacks: Iterable[keras.callbacks.Callback] = ()
) -> Iterator[tuple[keras.Model, History]]:
    """Train a pair, going on after the last finished epoch where an earlier run was interrupted.

    Save the results within: left without an error, the training is finished, and its checkpoints are removed.

    Args:
        data: images `uint8` `(n, rows, columns)` and labels `uint8` `(n,)`.
        folder: of the checkpoints; every other file in it is deleted.
        callbacks: called after the training's own.

    Yields:
        The compiled model, and a row for each epoch, as `train` returns them; of an ensemble the mean of its networks.

    Raises:
        see `train`.
    """
    with ExitStack() as stack:
        places = [stack.enter_context(place) for place in checkpoints(folder, pair, data)]
        results: list[tuple[keras.Model, History]] = []
        for member, place in zip(pair.members(), places, strict=True):
            if len(places) > 1:
                print(f"network {len(results) + 1} of {len(places)}, seed {member.seed}", flush=True)
            results.append(train(member, data, place, callbacks))
        models, histories = zip(*results, strict=True)
        yield averaged(models), _mean(histories)


def averaged(models: tuple[keras.Model, ...]) -> keras.Model:
    """One compiled model that answers with the mean of the models' probabilities; a single one comes back as it is.

    Its optimizer is a fresh one, because each network had its own.
    """
    if len(models) == 1:
        return models[0]
    inputs = keras.Input(models[0].input_shape[1:])
    copies = [_renamed(model, f"_{index}") for index, model in enumerate(models)]
    answers = keras.layers.Average(name="mean")([copy(inputs) for copy in copies])
    whole = keras.Model(inputs, answers, name=models[0].name)
    optimizer = models[0].optimizer
    whole.compile(type(optimizer).from_config(optimizer.get_config()), **COMPILED)
    whole.optimizer.build(whole.trainable_variables)
    return whole


def networks(model: keras.Model) -> list[keras.Sequential]:
    """The networks whose probabilities a model averages; none where it is no ensemble."""
    *parts, last = model.layers
    found = [part for part in parts if isinstance(part, keras.Sequential)]
    return found if isinstance(last, keras.layers.Average) and len(found) == len(parts) - 1 else []


def _renamed(model: keras.Sequential, suffix: str) -> keras.Sequential:
    """A copy that shares no layer's name with the others, because HDF5 holds each name once."""
    config = model.get_config()
    for part in (config, *(layer["config"] for layer in config["layers"])):
        part["name"] += suffix
    copy = keras.Sequential.from_config(config)
    copy.set_weights(model.get_weights())
    return copy


def _mean(histories: tuple[History, ...]) -> History:
    return [{name: mean(row[name] for row in rows) for name in rows[0]} for rows in zip(*histories, strict=True)]
