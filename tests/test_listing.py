"""What `dir` shows: public names only, and all of them; and what `repr` does."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import nengo
import numpy as np
import pytest

import nengo_phasor
from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    Phasor,
    RandomSparsifier,
    ResonateAndFire,
    SurrogateLIF,
)
from tests.registry import NEURONS, SYNAPSES, name

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


REPRS = {
    "ResonateAndFire(frequency=10, tau=0.5)": ResonateAndFire(),
    "ResonateAndFire(frequency=40, tau=0.5, threshold=0.3)": ResonateAndFire(40.0, 0.5, 0.3),
    "Phasor()": Phasor(),
    "AdaptiveSpiking(m_f=0.1)": AdaptiveSpiking(),
    "AdaptiveSpikingRate(m_f=0.2, theta_0=0.1)": AdaptiveSpikingRate(0.2, theta_0=0.1),
    "AdaptiveSpiking(m_f=0, theta_0=3, amplitude=1)": AdaptiveSpiking(0, 3, amplitude=1),
    "SurrogateLIF(reset='zero')": SurrogateLIF(reset="zero"),
    "ArcSparsifier(arc=0.2, frequency=10)": ArcSparsifier(0.2),
    "FieldSparsifier(window=0.5, frequency=33.3)": FieldSparsifier(0.5, np.float64(33.3)),
    "RandomSparsifier(probability=0.5)": RandomSparsifier(0.5),
    "PhaseEncoder(frequency=10, amplitude=2)": PhaseEncoder(amplitude=2),
}


@pytest.mark.parametrize(("text", "obj"), REPRS.items(), ids=REPRS)
def test_reprs_show_what_matters(text, obj):
    assert repr(obj) == text


@pytest.mark.parametrize("obj", [*NEURONS, *SYNAPSES], ids=name)
def test_a_repr_makes_an_equal_object(obj):
    names = {"array": np.array} | vars(nengo.dists) | vars(nengo_phasor.surrogates)
    assert eval(repr(obj), names | vars(nengo_phasor)) == obj


def test_a_subclass_shows_its_own_arguments():
    class Fast(ResonateAndFire):
        def __init__(self, threshold=0.1):
            super().__init__(40, threshold=threshold)

    class Hidden(ResonateAndFire):
        def __init__(self, factor):
            super().__init__(10 * factor)

    assert repr(Fast(0.2)).endswith("Fast(threshold=0.2)")
    assert "Hidden at 0x" in repr(Hidden(2))  # as Nengo's, where an argument is not kept
