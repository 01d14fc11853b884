"""Models on ONNX Runtime, against NumPy; files that hold none."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mnist_reader.classifier import BATCH, Classifier, ClassifierError
from tests.conftest import ROOT
from tests.linear import bar_or_ring, softmax, write_model


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 1])
def test_any_number_of_images_is_classified_as_numpy_does_it(tmp_path, count):
    write_model(tmp_path / "some.onnx", bar_or_ring(0) / 12)
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    probabilities = Classifier(tmp_path / "some.onnx")(images)
    assert (probabilities.shape, probabilities.dtype) == ((count, 10), np.float32)
    np.testing.assert_allclose(probabilities, softmax(images, bar_or_ring(0) / 12), atol=1e-5)


def of_colours(model):
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 3


def of_any_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "rows"


def for_one_image(model):
    """Its graph takes one image, whatever the file says of its inputs."""
    constant = next(value for value in model.graph.initializer if value.name == "shape")
    constant.CopyFrom(numpy_helper.from_array(np.array([1, 784]), "shape"))


def of_half_precision(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    weights = next(value for value in model.graph.initializer if value.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights).astype(np.float16), "weights"))


def without_softmax(model):
    model.graph.node[-1].op_type = "Exp"


def of_one_row(model):
    """Of all images together."""
    model.graph.node[-1].output[0] = "each"
    axes = numpy_helper.from_array(np.array([0]), "axes")
    model.graph.initializer.append(axes)
    model.graph.node.append(helper.make_node("ReduceMean", ["each", "axes"], ["probabilities"]))


def of_one_pixel(model):
    for side in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[side].dim_value = 1


def of_one_class(model):
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1


def of_nan(model):
    weights = next(value for value in model.graph.initializer if value.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * np.float32("nan"), "weights"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (of_colours, "expected (n, rows, columns, 1) → (n, classes), found"),
        (of_any_size, "expected (n, rows, columns, 1) → (n, classes), found"),
        (for_one_image, "expected a model that takes float32 images, found:"),
        (of_half_precision, "expected a model that takes float32 images, found:"),
        (without_softmax, "expected probabilities, found [1.0, "),
        (of_nan, "expected probabilities, found [nan, nan"),
        (of_one_row, "expected answers of shape (3, 10), found (1, 10)"),
        (of_one_pixel, "expected (n, rows, columns, 1) → (n, classes), found"),
        (of_one_class, "expected (n, rows, columns, 1) → (n, classes), found"),
        (None, "expected an ONNX model, found"),
    ],
)
def test_other_models_are_refused_in_one_line(tmp_path, change, expected):
    path = tmp_path / "some.onnx"
    write_model(path, bar_or_ring(0))
    if change:
        change(model := onnx.load(path))
        onnx.save(model, path)
    else:
        path.write_bytes(b"no model")
    with pytest.raises(ClassifierError) as caught:
        Classifier(path)
    assert str(caught.value).startswith(f"{path}: {expected}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", [None, "0"])
def test_importing_onnx_runtime_writes_no_file_and_leaves_the_environment_as_it_was(tmp_path, setting):
    own = {} if setting is None else {"ORT_DISABLE_TELEMETRY": setting}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | own
    code = "import mnist_reader.classifier, os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(setting)
    assert setting or not list(tmp_path.iterdir())
