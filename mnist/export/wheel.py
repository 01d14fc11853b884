"""A Python wheel of mnist_reader as it is, with the model inside, for programs that know nothing of this project.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import mnist_reader
from mnist.export.onnx import onnx_bytes
from mnist.export.runtime import Images, Predict, Source

PACKAGE = Path(mnist_reader.__file__).parent
METADATA = """\
Metadata-Version: 2.4
Name: mnist-reader
Version: {version}
Summary: {title}: a reader of pictures, with its model inside
License-Expression: MIT
Requires-Python: >=3.11
Requires-Dist: numpy>=2
Requires-Dist: onnxruntime>=1.20
Requires-Dist: pillow>=11.3
Provides-Extra: heif
Requires-Dist: pillow-heif; extra == "heif"
Description-Content-Type: text/markdown

```python
from mnist_reader import Reader

reading = Reader().read("photo.jpg")  # a path, bytes, a Pillow image or an array
print(reading.text, reading.confidence, reading.unsure)
```

`mnist-read photo.jpg` does the same on the command line. With `pip install pillow-heif` it also reads HEIC, the
pictures of iPhones. Trained on: {licence}.
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: mnist-pipeline\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PROGRAMS = f"[console_scripts]\nmnist-read = {PACKAGE.name}.command:main\n"
ASK = """\
import sys, numpy, mnist_reader
with open(sys.argv[1], "rb") as images, open(sys.argv[2], "wb") as answers:
    numpy.save(answers, mnist_reader.Reader().classifier(numpy.load(images)))
"""


def file_name(version: str) -> str:
    """The wheel's name, which installers read."""
    return f"{PACKAGE.name}-{version}-py3-none-any.whl"


def write_wheel(source: Source, path: Path) -> None:
    """The package's modules as they are, with the ONNX export beside them."""
    info = f"{PACKAGE.name}-{source.about.version}.dist-info"
    modules = sorted(PACKAGE.rglob("*.py"))
    files = {module.relative_to(PACKAGE.parent).as_posix(): module.read_bytes() for module in modules} | {
        f"{PACKAGE.name}/model.onnx": onnx_bytes(source),
        f"{info}/METADATA": METADATA.format(**source.about._asdict()).encode(),
        f"{info}/WHEEL": WHEEL.encode(),
        f"{info}/entry_points.txt": PROGRAMS.encode(),
    }
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def load_wheel(path: Path, _: Source) -> Predict:
    """Run by another Python process, which imports the package from an unpacked copy."""

    def run(images: Images) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder, "images.npy"), Path(folder, "answers.npy")
            zipfile.ZipFile(path).extractall(folder)
            np.save(asked, images)
            subprocess.run([sys.executable, "-c", ASK, asked, answered], cwd=folder, check=True)
            return np.load(answered)

    return run
