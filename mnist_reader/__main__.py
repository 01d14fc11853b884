"""`python -m mnist_reader` is the command `mnist-read`."""

from mnist_reader.command import main

if __name__ == "__main__":
    main("python -m mnist_reader")
