"""What the tests of trainings share."""

import pytest


class Interrupted(Exception):
    """A training that was broken off."""


@pytest.fixture
def interrupt(monkeypatch):
    """Break the next training off right after it has written so many checkpoints, over all its networks."""
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
