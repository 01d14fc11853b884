"""What the tests of trainings share."""

import pytest


class Interrupted(Exception):
    """A training that was broken off."""


@pytest.fixture(scope="package")
def data(real_digits):
    from tests.mnist.learning.trainings import IMAGES

    return tuple(part[:IMAGES] for part in real_digits)


@pytest.fixture(scope="package")
def whole(data, tmp_path_factory):
    """The result of a training that nothing interrupts; each is trained once."""
    from tests.mnist.learning.trainings import saved_training

    results = {}

    def result(recipe):
        name = recipe.model_dump_json()
        if name not in results:
            results[name] = saved_training(recipe, data, tmp_path_factory.mktemp("whole"))
        return results[name]

    return result


@pytest.fixture
def interrupt(monkeypatch):
    """Break the next training off right after it has written so many checkpoints."""
    from mnist.learning.checkpoint import Checkpoint

    def after(count):
        save, written = Checkpoint.save, []

        def save_and_stop(self, model, history):
            save(self, model, history)
            written.append(len(history))
            if len(written) == count:
                monkeypatch.setattr(Checkpoint, "save", save)
                raise Interrupted

        monkeypatch.setattr(Checkpoint, "save", save_and_stop)

    return after
