"""Errors that say which extra to install."""

import configparser
import sys
from pathlib import Path

import numpy as np
import pytest

from nengo_phasor import compat, extras
from tests.interpreters import run


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("nengo_dl", "nengo_dl", "dl"),
        ("nengo_loihi", "nengo_loihi", "loihi"),
        ("scipy.sparse", "scipy", "layerwise"),
        ("matplotlib.pyplot", "matplotlib", "plot"),
        ("nengo_gui", "nengo_gui", "gui"),
        ("click", "click", "cli"),
    ],
)
def test_require_names_the_extra(module, missing, extra, monkeypatch):
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=f"^{missing} is not installed") as error:
        compat.require(module)
    assert f'"nengo-phasor[{extra}]"' in str(error.value)
    assert error.value.name == missing


def test_require_imports_what_is_there():
    assert compat.require("numpy.linalg") is np.linalg


def test_require_names_what_is_missing_inside_a_backend(monkeypatch, tmp_path):
    (tmp_path / "uses_tqdm.py").write_text("import tqdm")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"^tqdm is not installed.*nengo-phasor\[cli\]"):
        compat.require("uses_tqdm")


@pytest.mark.parametrize("missing", ["numpy.no_such_module", "no_such_module"])
def test_require_leaves_other_errors_alone(missing):
    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{missing}'$"):
        compat.require(missing)


def test_missing_extras_end_in_one_line_without_a_chain():
    seen = run(
        """
        import sys, traceback
        import nengo_phasor
        from nengo_phasor import compat
        sys.modules["numba"] = None
        try:
            compat.require("numba.extending")
        except ImportError:
            seen["text"] = traceback.format_exc()
        """
    )
    assert seen["text"].count("Traceback") == 1
    last = seen["text"].strip().splitlines()[-1]
    assert last.endswith('numba is not installed. Run: pip install "nengo-phasor[layerwise]"')


def test_importing_a_missing_backend_says_how_to_get_it():
    """After `import nengo_phasor`; who only asks whether it is there gets Python's answer."""
    seen = run(
        """
        import importlib.util
        import sys
        import nengo_phasor

        class Hidden:
            def find_spec(self, name, path=None, target=None):
                return None

        sys.meta_path[1:] = [Hidden()]
        seen["spec"] = importlib.util.find_spec("nengo_dl")
        for name in ("nengo_dl", "nengo_loihi", "matplotlib"):
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                seen[name] = str(error)
        """
    )
    assert seen["spec"] is None
    assert seen["nengo_dl"].startswith("nengo_dl is not installed. Run: ")
    assert "nengo-phasor[dl]" in seen["nengo_dl"]
    assert "nengo-phasor[loihi]" in seen["nengo_loihi"]
    assert seen["matplotlib"] == "No module named 'matplotlib'", "it may be any program's"


def test_every_extra_exists():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    assert set(extras.EXTRAS.values()) <= set(setup["options.extras_require"])


def test_install_command(monkeypatch):
    """What is run depends on the Python, and on what is there to run it with."""
    there = {"pip", "click"}
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: name in there or None)
    assert extras.install_command("dl", (3, 11)) == 'pip install "nengo-phasor[dl]"'
    assert extras.install_command("dl", (3, 12)) == "nengo-phasor setup dl"
    assert extras.install_command("loihi", (3, 13)) == 'pip install "nengo-phasor[loihi]"'
    there.clear()
    assert extras.install_command("cli", (3, 13)) == 'uv pip install "nengo-phasor[cli]"'
    without_click = f'uv pip install "nengo-phasor[dl]" "{extras.NENGO_DL}"'
    assert extras.install_command("dl", (3, 13)) == without_click
    assert (extras.NENGO_DL / "pyproject.toml").exists()
