"""Lists of layers → networks; errors that name their place."""

import re

import pytest

from mnist.learning.architecture import ArchitectureError, build

pytestmark = pytest.mark.slow

END = [{"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]


def refusal(layers):
    with pytest.raises(ArchitectureError) as error:
        build("bad", layers, 10)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("classes", "shape", "parameters"), [(2, (28, 28), 785 * 5 + 6 * 2), (47, (20, 30), 601 * 5 + 6 * 47)]
)
def test_a_network_is_built_for_the_images_shape_and_a_last_dense_layer_has_a_unit_for_each_class(
    classes, shape, parameters
):
    model = build("any", [END[0], {"Dense": {"units": 5}}, {"Dense": {"activation": "softmax"}}], classes, shape)
    assert (model.name, model.input_shape, model.output_shape) == ("any", (None, *shape, 1), (None, classes))
    assert model.count_params() == parameters


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"Dens": {"units": 3}}, "expected a class of keras.layers, found 'Dens'; did you mean 'Dense'?"),
        ({"Lambda": {"function": "os.system"}}, "expected a class of keras.layers, found 'Lambda'"),
        ({"TFSMLayer": {"path": "x"}}, "expected a class of keras.layers, found 'TFSMLayer'"),
        ({"TextVectorization": {"vocabulary": "x"}}, "expected a class of keras.layers, found 'TextVectorization'"),
        ({"serialize": {}}, "expected a class of keras.layers, found 'serialize'"),  # a function
        ({"Layer": {}}, "expected a class of keras.layers, found 'Layer'"),
        ({"Dense": {"unitz": 3}}, "unknown argument 'unitz'; did you mean 'units'?"),
        ({"Dense": {"units": 3, "activaton": "relu"}}, "unknown argument 'activaton'; did you mean 'activation'?"),
        ({"Dense": {}}, "units"),
        ({"Dense": {"units": -1}}, "units.*-1"),
        ({"Dense": {"units": 3, "activation": "rellu"}}, "activation.*rellu"),
        ({"Dense": {"units": 3, "activation": {"x": 1}}}, "activation.*{'x': 1}"),
        ({"Dense": {"units": 3, "kernel_initializer": "glorot"}}, "initializer.*glorot"),
        ({"Dense": {"units": 3, "kernel_initializer": {"Normal": {}}}}, "kernel_initializer: no class Normal"),
        ({"Dense": {"units": 3, "kernel_initializer": {"Zeros": {"x": {"y": 1}}}}}, "expected numbers and text"),
        ({"Conv2D": {"filters": 3, "kernel_size": 99}}, "99"),
        ({"Dropout": {"rate": 2}}, "rate.*2"),
        ({"LSTM": {"units": 3}}, "ndim=3"),
        ({"Flatten": {"name": "first"}}, "first"),
        # Exceptions of other kinds than Keras' usual ones.
        ({"BatchNormalization": {"axis": 9}}, ""),
        ({"MaxPooling2D": {"pool_size": 2, "strides": 0}}, "zero"),
        ({"MaxPooling2D": {"pool_size": 99}}, "size"),
    ],
    ids=str,
)
def test_a_layer_that_cannot_be_built_is_named_in_one_line(layer, words):
    (kind,) = layer
    message = refusal([{"ReLU": {"name": "first"}}, layer, *END])
    assert message.startswith(f"params.yaml: model.1.{kind}: ")
    assert words in message or re.search(words, message)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (END[:1], "expected output shape (None, 10), found (None, 784)"),
        (END[1:], "expected output shape (None, 10), found (None, 28, 28, 10)"),
        ([*END, {"Dense": {"units": 9}}], "expected output shape (None, 10), found (None, 9)"),
        ([END[0], {"Dense": {"units": 10}}], "expected probabilities (softmax), found sums"),
        ([END[0], {"Dense": {**END[1]["Dense"], "trainable": False}}], "expected weights to train, found none"),
    ],
    ids=["no answer", "an answer for each pixel", "too few classes", "no probabilities", "nothing to train"],
)
def test_a_network_that_does_not_answer_with_probabilities_or_cannot_learn_is_refused(layers, words):
    assert refusal(layers).startswith(f"params.yaml: model: {words}")


def test_an_initializer_of_its_own_reaches_the_layer():
    last = {"Dense": {**END[1]["Dense"], "kernel_initializer": {"RandomNormal": {"stddev": 0.05, "seed": 1}}}}
    kernel = build("one", [END[0], last], 10).layers[-1].kernel.numpy()
    assert kernel.shape == (784, 10)
    assert abs(kernel.std() - 0.05) < 0.003  # 7,840 draws: standard error 0.0004
