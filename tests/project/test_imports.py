"""Importing any part changes nothing in the process, and no part loads more than it needs."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in ("mnist", "mnist_reader")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__main__.py"
)
HEAVY = [name for name in MODULES if re.match(r"mnist\.(learning|export)\b", name)]
LIGHT = [name for name in MODULES if name not in HEAVY]

LIGHT_LIBRARIES = ["numpy", "matplotlib.figure", "polars", "PIL.Image", "PIL.ImageOps", "onnxruntime", "pydantic"]
LIGHT_LIBRARIES += ["ruamel.yaml", "requests", "tqdm"]
HEAVY_LIBRARIES = ["tensorflow", "keras", "h5py", "yaml", "absl.logging"]

# Imports the libraries, then each module; prints what each has changed, and what was loaded.
PROBE = """
import gc, importlib, json, logging, os, signal, sys, warnings

def state():
    import numpy
    values = {
        "gc": (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(), len(gc.callbacks)),
        "sys.path": list(sys.path),
        "sys.excepthook": repr(sys.excepthook),
        "sys.stdout": (id(sys.stdout), id(sys.stderr)),
        "warnings.filters": repr(warnings.filters),
        "logging": (logging.root.level, len(logging.root.handlers)),
        "numpy.geterr": numpy.geterr(),
        "signals": repr([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]),
        "folder": os.getcwd(),
    }
    values |= {f"os.environ {name}": value for name, value in os.environ.items()}
    if "matplotlib" in sys.modules:
        import matplotlib
        values |= {f"rcParams {name}": repr(matplotlib.rcParams._get(name)) for name in matplotlib.rcParams}
    if "keras" in sys.modules:
        import absl.logging, keras
        values["absl verbosity"] = absl.logging.get_verbosity()
        for name in ("floatx", "epsilon", "image_data_format", "backend", "dtype_policy"):
            values[f"keras.config.{name}"] = repr(getattr(keras.config, name)())
    return values

libraries, modules = json.loads(sys.argv[1])
for name in libraries:
    importlib.import_module(name)
before, changes = state(), {}
for name in modules:
    importlib.import_module(name)
    after = state()
    changes[name] = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    before = after
print(json.dumps([changes, sorted(sys.modules)]))
"""


def probe(libraries, modules, start=""):
    """(what the import of each module changed, every module that was loaded), in a fresh process."""
    arguments = json.dumps([libraries, modules])
    command = [sys.executable, "-c", start + PROBE, arguments]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("libraries", "modules"),
    [(LIGHT_LIBRARIES, LIGHT), (LIGHT_LIBRARIES + HEAVY_LIBRARIES, HEAVY)],
    ids=["light", "heavy"],
)
def test_an_import_changes_nothing(libraries, modules):
    changes, loaded = probe(libraries, modules)
    assert {name: changed for name, changed in changes.items() if changed} == {}
    if modules is LIGHT:
        assert not {"tensorflow", "keras", "h5py"} & {name.partition(".")[0] for name in loaded}


@pytest.mark.slow
def test_the_probe_sees_a_change(tmp_path):
    (tmp_path / "loud.py").write_text(
        "import gc, keras, matplotlib, os, warnings\n"
        "gc.freeze()\nos.environ['LOUD'] = '1'\nmatplotlib.rcParams['font.size'] = 1\n"
        "keras.config.set_floatx('float16')\nwarnings.simplefilter('error')\n",
        encoding="utf-8",
    )
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    changes, _ = probe(["keras", "matplotlib"], ["loud"], start)
    expected = {"gc", "os.environ LOUD", "rcParams font.size", "keras.config.floatx", "warnings.filters"}
    assert expected <= set(changes["loud"])


def test_reading_pictures_loads_nothing_of_the_pipeline_nor_its_libraries():
    _, loaded = probe([], [name for name in MODULES if name.startswith("mnist_reader")])
    packages = {name.partition(".")[0] for name in loaded}
    assert "onnxruntime" in packages
    assert not packages & {
        "mnist",
        "tensorflow",
        "keras",
        "polars",
        "pandas",
        "matplotlib",
        "pydantic",
        "ruamel",
        "h5py",
    }
