"""The batches that Keras is given where nothing is learnt from them; those of the training are in test_training."""

import numpy as np

from mnist.core.sections import Training
from mnist.learning.feed import in_order

SPARSE = Training(epochs=1, batch_size=1, optimizer={"Adam": {}}, learning_rate=0.1)


def test_images_come_in_order_whole_and_scaled_with_their_labels():
    images = np.arange(1100 * 784, dtype=np.uint32).astype(np.uint8).reshape(1100, 28, 28)
    labels = np.arange(1100, dtype=np.uint16)
    batches = [(x.numpy(), y.numpy()) for x, y in in_order((images, labels), 1100, SPARSE)]
    assert [x.shape for x, _ in batches] == [(500, 28, 28, 1), (500, 28, 28, 1), (100, 28, 28, 1)]
    assert {x.dtype for x, _ in batches} == {np.dtype("float32")}
    assert np.array_equal(np.concatenate([y for _, y in batches]), labels)
    restored = np.concatenate([x for x, _ in batches])[..., 0] * 255
    assert np.allclose(restored, images, atol=1e-4)
    assert np.array_equal(restored.round(), images)
