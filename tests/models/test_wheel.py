"""A wheel, installed outside any checkout: it has all that a user of the systems needs."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nengo_phasor import models

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nengo_phasor"
EXTRAS = "cli,layerwise,dl,plot"
VERSIONS = ("3.10", "3.13")
"""The first and the last that are supported: `make install-tests` installs into both."""

WITH_NETWORK = [name for name, model in models.MODELS.items() if model.network]

LOAD = """
import sys
from pathlib import Path
import numpy as np
import nengo_phasor as nph
assert Path(sys.argv[1]) in Path(nph.__file__).parents, nph.__file__
model = nph.models.load("local_rhythms")
params = np.load(nph.models.PARAMS / "local_rhythms.npz")
transforms = [connection.transform for connection in model.all_connections]
weights = [np.asarray(transform.init) for transform in transforms if hasattr(transform, "init")]
assert any(np.array_equal(w, params["weights_1"].T) for w in weights), "not the committed weights"
for name in sys.argv[2:]:
    assert nph.models.load(name).all_connections, name
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, which leaves the checkout as it is."""
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in (PACKAGE, *(ROOT / name for name in ("networks", "notebooks", "results"))):
        shutil.copytree(folder, source / folder.name, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", ".", cwd=source)
    (built,) = source.glob("*.whl")
    return built


def run(*command, cwd, **environment):
    """Run a command that must succeed, without what the environment has of this checkout."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**outside, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_has_every_file_of_the_package(wheel):
    here = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "nengo_phasor/py.typed" in here
    there = set(zipfile.ZipFile(wheel).namelist())
    assert here <= there
    shared = {name.partition(".data/data/share/nengo-phasor/")[2] for name in there}
    for pattern in ("networks/*.py", "networks/*.cfg", "notebooks/*.ipynb", "results/*.json"):
        assert {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)} <= shared


def check(python, folder, garments, names, **environment):
    """List, load with weights, and run a system, in an empty folder."""
    here = folder / "here"
    here.mkdir()
    nengo_phasor = (python, "-m", "nengo_phasor")
    shown = run(*nengo_phasor, "list", cwd=here, **environment)
    for name in models.MODELS:
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    assert re.search(
        r"^  local_rhythms +\d{4}-\d\d-\d\d +\d+ of \d+ targets met", shown, re.MULTILINE
    )
    run(python, "-c", LOAD, folder, *names, cwd=here, **environment)
    small = ("--data", garments, "--batches", 2, "--images", 10, "--output", "demo")
    run(*nengo_phasor, "run", "local_rhythms", "demo", *small, cwd=here, **environment)
    measured = json.loads((here / "demo" / "metrics.json").read_text())
    assert measured["scores"]["spikes_per_image"] > 0
    assert (here / "demo" / "index.html").exists()


def test_wheel_works_outside_the_checkout(wheel, garments, tmp_path):
    """With the packages of this environment, in whose place only ours is another."""
    for module in ("nengo_dl", "numba", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    check(sys.executable, tmp_path, garments, WITH_NETWORK, PYTHONPATH=str(tmp_path / "site"))


def interpreter(version):
    """Return a Python of a version: pyenv's, whose shims need not run, or that on the path."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return next(iter(pyenv), None) or shutil.which(f"python{version}")


@pytest.mark.install
@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_works_where_nothing_else_is(wheel, garments, tmp_path, version):
    """In an environment of its own, with its extras as pip finds them, on another Python."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    run(python, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[{EXTRAS}]", cwd=tmp_path)
    run(python, "-m", "nengo_phasor", "setup", "dl", cwd=tmp_path)
    check(python, tmp_path, garments, WITH_NETWORK)
