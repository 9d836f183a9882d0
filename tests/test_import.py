"""What ``import nengo_phasor`` costs and brings along."""

import importlib.util
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import nengo_phasor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import help_times  # noqa: E402

HEAVY = ("tensorflow", "keras", "tf_keras", "nengo_dl", "nengo_loihi", "matplotlib", "nengo_gui")
OPTIONAL = {"dl": "nengo_dl", "plots": "matplotlib", "layerwise": "scipy", "spa": "nengo_spa"}


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imports_no_backend():
    loaded = python("import sys, nengo_phasor; print(*sorted(sys.modules))").split()
    assert "nengo_phasor.neurons" in loaded
    roots = {module.partition(".")[0] for module in loaded}
    assert not roots & set(HEAVY)


def test_imports_no_more_than_nengo_where_that_needs_none():
    """SciPy comes with layerwise, when it is asked for."""
    code = "import sys, nengo; print('scipy' in sys.modules)"
    assert python(code) == python(code.replace("nengo;", "nengo, nengo_phasor;"))


def test_cost():
    """Processor time over that of ``import nengo``: the median of five; the target is 0.3 s."""
    code = (
        "import time, nengo; t = time.process_time(); import nengo_phasor;"
        "print(time.process_time() - t)"
    )
    assert statistics.median(float(python(code)) for _ in range(5)) < 0.3


@pytest.mark.parametrize("name", nengo_phasor.__all__)
def test_public_names(name):
    needed = OPTIONAL.get(name)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"needs {needed}")
    assert getattr(nengo_phasor, name) is not None
    assert name in dir(nengo_phasor)


def test_unknown_name():
    with pytest.raises(AttributeError, match="'nengo_phasor' has no attribute 'Resonate'"):
        nengo_phasor.Resonate  # noqa: B018


def test_modules_come_when_they_are_used():
    code = (
        "import sys, nengo_phasor; a = 'nengo_phasor.layerwise' in sys.modules;"
        "nengo_phasor.layerwise; print(a, 'nengo_phasor.layerwise' in sys.modules)"
    )
    if importlib.util.find_spec("scipy"):
        assert python(code) == "False True"


@pytest.fixture(scope="module")
def cost_of_nengo():
    return help_times.seconds(help_times.NENGO, 3)


@pytest.mark.parametrize("name", help_times.COMMANDS)
def test_help_comes_soon(name, cost_of_nengo):
    """Processor time over that of ``import nengo``, in this run; the target is 1.5 s."""
    assert help_times.seconds(help_times.COMMANDS[name], 2) < cost_of_nengo + 1.5
