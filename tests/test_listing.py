"""What `dir` shows: public names only, and all of them."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import nengo_phasor

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / "docs", ROOT / "tools"):
    sys.path.insert(0, str(folder))
from pages import API  # noqa: E402

DOCUMENTED = [name for names in API.values() for name in names]
MODULES = sorted({*DOCUMENTED, *(set(dir(nengo_phasor)) - set(nengo_phasor.__all__)), "saving"})
FOREIGN = {"annotations", "nengo", "np", "Any", "NDArray", "ArrayLike", "ValidationError", "sys"}


def imported(name):
    try:
        return import_module(f"nengo_phasor.{name}")
    except ImportError as error:
        pytest.skip(str(error))


def test_the_package_shows_what_it_offers():
    shown = dir(nengo_phasor)
    assert {"ResonateAndFire", "layerwise", "dl", "save", "load", "neurons"} <= set(shown)
    assert not any(name.startswith("_") for name in shown)
    assert "import_module" not in shown
    assert all(hasattr(nengo_phasor, name) for name in ("save", "load", "neurons", "synapses"))


@pytest.mark.parametrize("name", [n for n in MODULES if n not in ("save", "load")])
def test_modules_show_public_names(name):
    module = imported(name)
    shown = dir(module)
    assert shown
    assert all(hasattr(module, n) and not n.startswith("_") for n in shown)
    assert not FOREIGN & set(shown)
    for n in (n for n in shown if not n.isupper()):
        value = getattr(module, n)
        home = value.__name__ if isinstance(value, ModuleType) else value
        home = getattr(value, "__module__", None) or home
        assert not isinstance(home, str) or home.startswith("nengo_phasor"), n


@pytest.mark.parametrize("name", DOCUMENTED)
def test_nothing_public_is_hidden(name):
    module = imported(name)
    own = {
        n
        for n, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not n.startswith("_")
    }
    assert own <= set(dir(module))
