"""Read the digits in picture files with the exported model: the command `mnist-read` inside a clone.

Run: python -m apps.predict digit.png folder/
     python -m apps.predict --show out.png photo.jpg
     python -m apps.predict --json < digit.png
"""

from mnist_reader.core.errors import require

if __name__ == "__main__":
    require("apps.predict", "requirements-apps.txt", "numpy", "PIL", "onnxruntime")
    from mnist_reader.command import main

    main("python -m apps.predict")
