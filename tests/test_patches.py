"""What is patched in the backends, for which versions, and when."""

import ast
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import nengo_phasor
from nengo_phasor import compat

TODAY = {
    "nengo": (4, 1),
    "nengo_dl": (3, 6),
    "nengo_loihi": (1, 1),
    "tensorflow": (2, 21),
    "numpy": (2, 4),
}
KERAS, ENGINE, FILTER, ARRAY = compat.PATCHES


@pytest.mark.parametrize(
    ("change", "patches"),
    [
        ({}, {KERAS, ENGINE, FILTER, ARRAY}),
        ({"tensorflow": (2, 16)}, {KERAS, ENGINE, FILTER, ARRAY}),
        ({"tensorflow": (2, 15)}, {FILTER, ARRAY}),
        ({"tensorflow": None}, {FILTER, ARRAY}),
        ({"numpy": (1, 26)}, {KERAS, ENGINE, FILTER}),
        ({"nengo": (3, 2)}, {KERAS, ENGINE, ARRAY}),
        ({"nengo": (3, 2), "tensorflow": (2, 10), "numpy": (1, 23)}, set()),
        ({"nengo_dl": (3, 7), "nengo_loihi": (1, 2)}, set()),
        ({"nengo_dl": (4, 0)}, {ARRAY}),
    ],
)
def test_only_what_the_versions_need_is_patched(change, patches):
    versions = {k: v for k, v in {**TODAY, **change}.items() if v is not None}
    assert set(compat.needed_patches(versions)) == patches


def test_installed_versions_are_the_modules_own():
    versions = compat.installed_versions()
    assert versions["numpy"] == tuple(map(int, np.__version__.split(".")[:2]))


def test_tensorflow_may_come_from_another_distribution(monkeypatch):
    found = {"tensorflow-cpu": "2.19.0rc1"}

    def version(name):
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert compat.installed_versions() == {"tensorflow": (2, 19)}


needs_numpy_2 = pytest.mark.skipif(np.__version__ < "2", reason="NumPy 1 does this itself")


@needs_numpy_2
def test_arrays_are_copied_only_if_needed():
    backend = SimpleNamespace(block=SimpleNamespace(), neurons=SimpleNamespace())
    compat._copy_if_needed(backend)
    numpy_1 = backend.block.np
    x = np.arange(3.0)
    assert numpy_1.array(x, copy=False) is x
    assert numpy_1.array(x) is not x
    assert numpy_1.array(x, copy=True) is not x
    np.testing.assert_array_equal(numpy_1.array([1, 2], copy=False, dtype=float, ndmin=2), [[1, 2]])
    assert numpy_1.array(x, copy=False, dtype=np.int32).dtype == np.int32
    assert numpy_1.ndarray is np.ndarray
    assert backend.neurons.np.random is np.random
    assert np.array(x) is not numpy_1.array(x, copy=False)


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A backend to import, and the record of what happens meanwhile."""
    events = []
    (tmp_path / "some_backend.py").write_text("VALUE = 1\nEVENTS.append('execute')\n")
    patch = compat.Patch(
        "some_backend",
        (1, 0),
        "numpy",
        (1, 0),
        before=lambda module: (setattr(module, "EVENTS", events), events.append("before")),
        after=lambda module: events.append("after"),
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(compat, "PATCHES", (patch,))
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if f is not compat._FINDER])
    monkeypatch.setattr(compat, "_FINDER", compat._Finder())
    compat.install()
    yield events
    sys.modules.pop("some_backend", None)


def test_patches_and_callbacks_surround_the_import(backend):
    compat.on_import("some_backend", lambda module: backend.append(module.VALUE))
    assert backend == []
    module = importlib.import_module("some_backend")
    assert backend == ["before", "execute", "after", 1]
    compat.on_import("some_backend", lambda module: backend.append("at once"))
    assert backend[-1] == "at once"
    assert isinstance(module.__loader__, importlib.machinery.SourceFileLoader)
    assert module.__spec__.loader is module.__loader__


def test_callbacks_may_ask_for_callbacks(backend):
    def callback(module):
        compat.on_import("some_backend", lambda module: backend.append("second"))
        backend.append("first")

    compat.on_import("some_backend", callback)
    importlib.import_module("some_backend")
    assert backend[3:] == ["first", "second"]


def test_errors_of_callbacks_end_the_import(backend):
    compat.on_import("some_backend", lambda module: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("some_backend")
    assert "some_backend" not in sys.modules


def test_any_module_can_be_waited_for(backend, tmp_path):
    (tmp_path / "other.py").write_text("")
    compat.on_import("other", lambda module: backend.append(module.__name__))
    importlib.import_module("other")
    assert sys.modules.pop("other").__name__ == backend[-1] == "other"


def test_found_but_not_imported_modules_keep_their_loaders_methods(backend):
    spec = importlib.util.find_spec("some_backend")
    assert "VALUE = 1" in spec.loader.get_source("some_backend")
    assert backend == []


def test_missing_backends_stay_missing(backend):
    compat.on_import("no_such_backend", backend.append)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_backend")
    assert backend == []


def test_installing_twice_installs_once(backend):
    finders = list(sys.meta_path)
    compat.install()
    assert sys.meta_path == finders


def test_installing_mends_what_was_imported_before(backend, monkeypatch):
    monkeypatch.setitem(sys.modules, "some_backend", ModuleType("some_backend"))
    monkeypatch.setattr(compat, "_FINDER", compat._Finder())
    compat.install()
    assert backend == ["after"]


def test_all_that_is_taken_from_nengo_dl_is_in_the_table():
    """By reading our imports of it."""
    taken = set()
    for path in Path(nengo_phasor.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = getattr(node, "module", None) or ""
            if isinstance(node, ast.ImportFrom) and module.startswith("nengo_dl."):
                taken |= {f"{module.partition('.')[2]}.{name.name}" for name in node.names}
    listed = {".".join(path.split(".")[:2]) for path in compat.INTERNALS["nengo_dl"]}
    assert taken
    assert taken <= listed


def test_what_is_taken_from_nengo_dl_is_there():
    """And means what it did: the attributes that NengoDL's dispatchers keep builders as."""
    nengo_dl = pytest.importorskip("nengo_dl")
    compat.check_internals(nengo_dl)
    from nengo_phasor.dl import tables

    for table in (tables.NEURONS, tables.PROCESSES):
        for method in (table.dispatcher.build_pre, table.dispatcher.build_step):
            assert table.built in method.__code__.co_names


@pytest.mark.parametrize("name", ["builder.Builder.makers", "builder.Maker.makers"])
def test_a_backend_that_is_otherwise_inside(name, monkeypatch):
    nengo_dl = pytest.importorskip("nengo_dl")
    monkeypatch.setitem(compat.INTERNALS, "nengo_dl", ("builder.Builder.builders", name))
    with pytest.raises(ImportError, match=rf"nengo_dl [0-9.]+ has no {name}.*tested"):
        compat.check_internals(nengo_dl)
