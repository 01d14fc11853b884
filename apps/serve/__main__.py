"""A page and an HTTP service that read digits in pictures.

Run: python -m apps.serve [--port 7860]

It listens on localhost only, unless --host says otherwise; requests then need the token in the environment variable
MNIST_TOKEN. SIGTERM or Ctrl-C stops it after the requests that it has begun are answered.
"""

from mnist_reader.core.errors import require, run

MODULES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "onnxruntime", "numpy", "PIL")


def main() -> None:
    """Serve until told to stop."""
    require("apps.serve", "requirements-apps.txt", *MODULES)
    from apps.serve.command import parse, serve

    run(lambda: serve(parse()))


if __name__ == "__main__":
    main()
