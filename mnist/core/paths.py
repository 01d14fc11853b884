"""Where the pipeline keeps the files that more than one program names, relative to the project's root."""

from pathlib import Path

RAW = Path("data/raw")
TRAIN_CSV = Path("data/csv/train.csv")
TEST_CSV = Path("data/csv/test.csv")
OTHER_TABLES = Path("data/seeds")  # of a folder with such tables for each data set that is not the chosen one
PROBABILITIES = Path("data/probabilities.npy")  # the model's answers to the test images
MODEL = Path("models/MNIST_keras_CNN.h5")
CHECKPOINTS = Path("models/checkpoints")
EXPORT = Path("models/export")
ONNX = EXPORT / f"{MODEL.stem}.onnx"
METRICS = Path("metrics")
HISTORY = METRICS / "history.csv"
PLOTS = METRICS / "plots"
