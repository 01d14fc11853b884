"""Read the digits in picture files with the exported model.

Run: python -m apps.predict digit.png more/*.jpg
     python -m apps.predict --json < digit.png
"""

from pathlib import Path

from mnist.core.errors import run
from mnist.core.paths import ONNX
from mnist_reader.command import main

if __name__ == "__main__":
    run(lambda: main("python -m apps.predict", Path(__file__).parents[1] / ONNX))
