"""Where the pipeline keeps the files that more than one program names, relative to the project's root."""

from pathlib import Path

PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
RECIPES = Path("recipes")
DATASETS = Path("datasets")
RAW = Path("data/raw")
TRAIN_CSV = Path("data/csv/train.csv")
TEST_CSV = Path("data/csv/test.csv")
PROBABILITIES = Path("data/probabilities.npz")  # the model's answers, by what it was asked
MODEL = Path("models/MNIST_keras_CNN.h5")
CHECKPOINTS = Path("models/checkpoints")
EXPORT = Path("models/export")
ONNX = EXPORT / f"{MODEL.stem}.onnx"
METRICS = Path("metrics")
HISTORY = METRICS / "history.csv"
PLOTS = METRICS / "plots"
