"""Small linear models as ONNX, in place of the exported one; and the same in NumPy."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mnist_reader.about import About


def bar_or_ring(elsewhere):
    """Weights `(784, 10)`: 1 for ink in the middle columns and class 1, and for ink on an oval and class 0."""
    y, x = np.mgrid[:28, :28] - 14
    weights = np.full((28, 28, 10), elsewhere, np.float32)
    weights[..., 1] = np.abs(x) <= 2
    weights[..., 0] = np.abs(np.hypot(x * 10 / 7, y) - 9) <= 2
    return weights.reshape(784, 10)


def ridge_regression(images, labels):
    """Weights `(784, 10)` that read `uint8` images `(n, 28, 28)`, solved without any code of the pipeline."""
    x = images.reshape(-1, 784) / 255
    return np.linalg.solve(x.T @ x + np.eye(784), x.T @ np.eye(10)[labels]).astype(np.float32) * 10


def softmax(images, weights):
    """The linear model in NumPy: `uint8` `(n, 28, 28)` → probabilities."""
    powers = np.exp(images.reshape(-1, 784) / 255 @ weights)
    return powers / powers.sum(axis=1, keepdims=True)


def write_model(path, weights, threshold=0.0, classes=None, preparation="ink"):
    """Write softmax(image · weights) as ONNX, with the inputs, outputs and metadata of the exported model."""
    constants = {"shape": np.array([-1, 784]), "weights": weights}
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    ports = [("image", ["n", 28, 28, 1]), ("probabilities", ["n", weights.shape[1]])]
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in ports)
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    names = tuple(classes or map(str, range(weights.shape[1])))
    describe(path, About("Pictures", "none", names, preparation, threshold, "1.2.3").properties)


def describe(path, properties):
    """Replace the metadata of an ONNX file."""
    model = onnx.load(path)
    helper.set_model_props(model, properties)
    onnx.save(model, path)
