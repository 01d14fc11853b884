"""What the tests of exports share."""

import pytest

from tests.conftest import ABOUT


@pytest.fixture(scope="package")
def source(tiny_model, real_digits, tmp_path_factory):
    """The tiny model as a stage has it: loaded from its file."""
    from mnist.export.runtime import Source
    from mnist.learning.model import load_model

    path = tmp_path_factory.mktemp("model") / "tiny.h5"
    tiny_model.save(path)
    return Source(load_model(path), path, real_digits[0][:100], ABOUT)
