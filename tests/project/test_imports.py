"""Importing mnist changes nothing in the process, and no part of it loads more than it needs."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in (ROOT / "mnist").rglob("*.py")
)
HEAVY = [name for name in MODULES if re.match(r"mnist\.(learning|export|schema)\b", name)]
LIGHT = [name for name in MODULES if name not in HEAVY]
INFERENCE = [name for name in MODULES if name.startswith("mnist_reader")]

LIGHT_LIBRARIES = [
    "numpy",
    "matplotlib.figure",
    "polars",
    "pandas",
    "PIL.Image",
    "PIL.ImageOps",
    "onnxruntime",
    "pydantic",
    "ruamel.yaml",
    "pooch",
    "requests",
    "tqdm",
    "scipy.ndimage",
    "skimage.feature",
]
HEAVY_LIBRARIES = ["tensorflow", "keras", "h5py", "yaml", "absl.logging"]

# Imports the libraries, then each module; prints what each has changed, and what was loaded of what it names.
PROBE = """
import gc, importlib, json, logging, os, signal, sys, warnings

def state():
    import numpy
    found = {
        "gc.threshold": gc.get_threshold(),
        "gc.enabled": gc.isenabled(),
        "gc.freeze_count": gc.get_freeze_count(),
        "gc.callbacks": len(gc.callbacks),
        "sys.path": list(sys.path),
        "sys.excepthook": repr(sys.excepthook),
        "sys.stdout": (id(sys.stdout), id(sys.stderr)),
        "warnings.filters": repr(warnings.filters),
        "logging": (logging.root.level, len(logging.root.handlers)),
        "numpy.geterr": numpy.geterr(),
        "signals": repr([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]),
        "folder": os.getcwd(),
    }
    found |= {f"os.environ {name}": value for name, value in os.environ.items()}
    if "matplotlib" in sys.modules:
        import matplotlib
        found |= {f"rcParams {name}": repr(matplotlib.rcParams._get(name)) for name in matplotlib.rcParams}
    if "keras" in sys.modules:
        import absl.logging, keras
        found["absl verbosity"] = absl.logging.get_verbosity()
        for name in ("floatx", "epsilon", "image_data_format", "backend", "dtype_policy"):
            found[f"keras.config.{name}"] = repr(getattr(keras.config, name)())
    return found

libraries, modules = json.loads(sys.argv[1])
for name in libraries:
    importlib.import_module(name)
before, changes = state(), {}
for name in modules:
    importlib.import_module(name)
    after = state()
    changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    changes[name] = [f"{key}: {before.get(key)} → {after.get(key)}" for key in changed]
    before = after
print(json.dumps([changes, sorted(sys.modules)]))
"""

# Imports a module where the named others cannot be imported.
WITHOUT = """
import importlib, json, sys

module, missing = json.loads(sys.argv[1])

class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Missing)
importlib.import_module(module)
"""


def run(code, *arguments):
    """What a fresh process prints that runs `code`."""
    process = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def probe(libraries, modules):
    """(what the import of each module changed, every module that was loaded)."""
    return json.loads(run(PROBE, libraries, modules).splitlines()[-1])


@pytest.fixture(scope="module")
def light():
    return probe(LIGHT_LIBRARIES, LIGHT)


@pytest.fixture(scope="module")
def heavy():
    return probe(LIGHT_LIBRARIES + HEAVY_LIBRARIES, HEAVY)


@pytest.mark.parametrize("module", LIGHT)
def test_an_import_changes_nothing(module, light):
    assert light[0][module] == []


@pytest.mark.slow
@pytest.mark.parametrize("module", HEAVY)
def test_an_import_of_what_needs_tensorflow_changes_nothing(module, heavy):
    assert heavy[0][module] == []


@pytest.mark.slow
def test_the_probe_sees_a_change(tmp_path):
    (tmp_path / "loud.py").write_text(
        "import gc, keras, matplotlib, os, warnings\n"
        "gc.freeze()\nos.environ['LOUD'] = '1'\nmatplotlib.rcParams['font.size'] = 1\n"
        "keras.config.set_floatx('float16')\nwarnings.simplefilter('error')\n",
        encoding="utf-8",
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PROBE}"
    changes, _ = json.loads(run(code, ["keras", "matplotlib"], ["loud"]).splitlines()[-1])
    for changed in ("gc.freeze", "os.environ LOUD", "rcParams font.size", "keras.config.floatx", "warnings.filters"):
        assert any(line.startswith(changed) for line in changes["loud"]), changed


def test_only_learning_and_export_load_tensorflow(light):
    assert not {"tensorflow", "keras", "h5py"} & {name.partition(".")[0] for name in light[1]}


@pytest.mark.parametrize("module", INFERENCE)
def test_reading_pictures_loads_nothing_of_learning(module):
    loaded = probe([], [module])[1]
    assert not {"tensorflow", "keras"} & {name.partition(".")[0] for name in loaded}
    assert not [name for name in loaded if name.startswith(("mnist.learning", "mnist.export", "mnist.data"))]


def listed(file):
    """The packages that a requirements file names itself."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines if re.match(r"\w", line)}


@pytest.mark.parametrize("module", INFERENCE)
def test_reading_pictures_needs_only_the_requirements_of_the_apps(module):
    left_out = listed("requirements.in") - listed("requirements-apps.in")
    importable = packages_distributions().items()
    missing = [name for name, packages in importable if left_out & {package.lower() for package in packages}]
    assert {"tensorflow", "keras", "polars", "pandas", "matplotlib", "pydantic", "ruamel", "h5py"} <= set(missing)
    run(WITHOUT, module, missing)
