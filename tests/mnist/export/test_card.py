"""What the model card says of a training."""

from mnist.core.sections import Training
from mnist.export.card import made_up


def test_the_card_says_which_images_were_made_up():
    plain = Training(epochs=1, batch_size=1, optimizer={"Adam": {}}, learning_rate=0.1)
    assert made_up(plain) == ""
    added = plain.model_copy(update={"negatives": 0.1, "printed": 0.03})
    assert made_up(added) == (
        "\nMade-up images were added to these: 3% images drawn from fonts, 10% pictures of no class."
    )
