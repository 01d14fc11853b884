"""Read the digits in picture files with the exported model: the command `mnist-read` inside a clone.

Run: python -m apps.predict digit.png folder/
     python -m apps.predict --show out.png photo.jpg
     python -m apps.predict --json < digit.png
"""

from mnist_reader.command import main

if __name__ == "__main__":
    main("python -m apps.predict")
