"""Compatibility of NengoDL and nengo-loihi with current TensorFlow, Keras and NumPy.

The last releases, NengoDL 3.6 and nengo-loihi 1.1, were written for Nengo 3, Keras 2 and NumPy 1.
After `install` (which ``import nengo_phasor`` calls) they can be imported as usual on TensorFlow
2.16-2.21 and NumPy 2. Installing imports nothing: a finder on `sys.meta_path` waits until the user
imports a backend, and then applies the rows of `PATCHES` that the installed versions need. No patch
changes `keras` or any other entry of `sys.modules`, so the user's own Keras 3 is unaffected.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib.abc
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from nengo_phasor.extras import EXTRAS, MissingExtra
from nengo_phasor.extras import require as require
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__, "require")

Version = tuple[int, int]

DISTRIBUTIONS = {
    "nengo": ("nengo",),
    "nengo_dl": ("nengo-dl",),
    "nengo_loihi": ("nengo-loihi",),
    "numpy": ("numpy",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"),
    "tf_keras": ("tf-keras", "tf-keras-nightly"),
}
"""The names under which each module may have been installed."""


def installed_versions() -> dict[str, Version]:
    """Return (major, minor) of each installed module in `DISTRIBUTIONS`, without importing any."""
    versions = {}
    for module, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                major, minor = importlib.metadata.version(distribution).split(".")[:2]
            except importlib.metadata.PackageNotFoundError:
                continue
            versions[module] = (int(major), int(minor))
            break
    return versions


# ---------------------------------------------------------------------- what has to be patched

# tensorflow's attributes that become Keras 2 or Keras 3 when they are first used
KERAS_ATTRIBUTES = ("keras", "initializers", "losses", "metrics", "optimizers")

# where tf-keras keeps the modules that NengoDL asks Keras for
KERAS_2_MODULES = {
    "keras.engine.functional": "tf_keras.src.engine.functional",
    "keras.layers": "tf_keras.src.layers",
}


def prefer_keras_2() -> None:
    """Make TensorFlow choose Keras 2, if it is installed and nothing has decided otherwise.

    For `nengo_phasor.layerwise`, whose users take optimisers from `tf.keras` before training.
    """
    with contextlib.suppress(ImportError, KeyError):
        use_keras_2()


def use_keras_2() -> None:
    """Make TensorFlow choose Keras 2, which it does when `tf.keras` is first used.

    Raises
    ------
    ImportError
        If TensorFlow already uses Keras 3, or tf-keras is not installed. The message gives the
        remedy.
    """
    versions = installed_versions()
    tensorflow, tf_keras = versions["tensorflow"], versions.get("tf_keras")
    if tf_keras != tensorflow:
        found = f"tf-keras {_dotted(tf_keras)} is" if tf_keras else "tf-keras is not"
        raise ImportError(
            "Training needs Keras 2, which TensorFlow takes from tf-keras of the same minor "
            f"version. TensorFlow {_dotted(tensorflow)} is installed, {found} installed. "
            f'Run: pip install "tf-keras~={_dotted(tensorflow)}.0"',
            name="tf_keras",
        )
    if "tensorflow" in sys.modules:
        _redirect_keras(sys.modules["tensorflow"])
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


def _redirect_keras(tensorflow: ModuleType) -> None:
    """Make an already imported TensorFlow use Keras 2, as it would have done on import."""
    used = [name for name in KERAS_ATTRIBUTES if _is_keras_3(vars(tensorflow).get(name))]
    if used:
        raise ImportError(
            f"Training needs Keras 2, but tf.{used[0]} has already been used and is Keras 3 in "
            "this process. Import nengo_phasor and nengo_dl before tensorflow (or before the "
            "first use of tf.keras), or set TF_USE_LEGACY_KERAS=1 in the environment.",
            name="nengo_dl",
        )
    spec = importlib.util.find_spec("tf_keras")
    assert spec is not None
    keras_2 = str(Path(str(spec.origin)).with_name("api") / "_v2")
    if keras_2 not in tensorflow.__path__:  # where ``import tensorflow.keras`` looks
        tensorflow.__path__.insert(0, keras_2)


def _is_keras_3(module: ModuleType | None) -> bool:
    # until its first use the attribute is a subclass of ModuleType, a lazy loader
    return type(module) is ModuleType and "_tf_keras" in Path(str(module.__file__)).parts


def _import_from_tf_keras(compat: Any) -> None:
    """Redirect the import statements of a module not yet executed to `KERAS_2_MODULES`."""

    def import_(name, *args, **kwargs):
        return builtins.__import__(KERAS_2_MODULES.get(name, name), *args, **kwargs)

    compat.__builtins__ = {**vars(builtins), "__import__": import_}


def _flatten_passthrough(nengo_dl: ModuleType) -> None:
    """Give NengoDL the matrix D of a `nengo.LinearFilter` in its shape before Nengo 4, (1,)."""
    builder = nengo_dl.process_builders.LinearFilterBuilder
    build_pre = builder.build_pre

    def make_step(process, *args, **kwargs):
        step = process.make_step(*args, **kwargs)
        step.D = step.D.ravel()
        return step

    def with_flat_step(op):
        process = SimpleNamespace(
            make_state=op.process.make_state, make_step=partial(make_step, op.process)
        )
        return SimpleNamespace(input=op.input, output=op.output, state=op.state, process=process)

    def build_pre_with_flat_steps(self, signals, config):
        ops = self.ops
        self.ops = tuple(map(with_flat_step, ops))
        build_pre(self, signals, config)
        self.ops = ops

    builder.build_pre = build_pre_with_flat_steps


def _copy_if_needed(nengo_loihi: ModuleType) -> None:
    """Give ``np.array(..., copy=False)`` the meaning it had before NumPy 2: copy if needed."""

    def array(*args, copy=True, **kwargs):
        return np.array(*args, copy=copy or None, **kwargs)

    numpy_1: Any = ModuleType("numpy")
    numpy_1.__getattr__ = partial(getattr, np)
    numpy_1.array = array
    nengo_loihi.block.np = nengo_loihi.neurons.np = numpy_1


@dataclass(frozen=True)
class Patch:
    """A patch of a backend's module, applied before or after the module is executed.

    Parameters
    ----------
    module : str
        The full name of the module.
    last : (int, int)
        The last release of the backend that needs the patch.
    library, since : str, (int, int)
        The library, and the first of its releases, that make the patch necessary.
    before, after : callable
        The functions that apply the patch, which are called with the module.
    """

    module: str
    last: Version
    library: str
    since: Version
    before: Callable[[ModuleType], None] | None = None
    after: Callable[[ModuleType], None] | None = None


PATCHES = (
    Patch("nengo_dl", (3, 6), "tensorflow", (2, 16), before=lambda nengo_dl: use_keras_2()),
    Patch("nengo_dl.compat", (3, 6), "tensorflow", (2, 16), before=_import_from_tf_keras),
    Patch("nengo_dl", (3, 6), "nengo", (4, 0), after=_flatten_passthrough),
    Patch("nengo_loihi", (1, 1), "numpy", (2, 0), after=_copy_if_needed),
)


MENDED = (
    "This version of NengoDL has not been tested with your Nengo",
    "This version of `nengo_loihi` has not been tested with your `nengo`",
    "No GPU support detected",
)
"""The beginnings of those warnings of the backends that do not apply with our patches."""

INTERNALS = {
    "nengo_dl": (
        "builder.Builder.builders",
        "builder.OpBuilder.mergeable",
        "neuron_builders.GenericNeuronBuilder",
        "neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL",
        "neuron_builders.SimNeuronsBuilder.mergeable",
        "neuron_builders.TFNeuronBuilder.build_step",
        "process_builders.GenericProcessBuilder",
        "process_builders.LinearFilterBuilder.build_pre",
        "process_builders.SimProcessBuilder.TF_PROCESS_IMPL",
        "process_builders.SimProcessBuilder.mergeable",
        "simulator.Simulator._check_data",
        "transform_builders.ConvIncBuilder",
    ),
}
"""The internals of a backend that we rely on, which may differ in another release."""


def check_internals(module: ModuleType) -> None:
    """Check that an imported backend has all of its `INTERNALS`, else raise an ImportError."""
    for path in INTERNALS[module.__name__]:
        submodule, *names = path.split(".")
        found = importlib.import_module(f"{module.__name__}.{submodule}")
        for name in names:
            found = getattr(found, name, None)
        if found is None:
            raise ImportError(
                f"{module.__name__} {getattr(module, '__version__', '')} has no {path}, which "
                "nengo_phasor relies on: docs/versions.md lists the releases that have been tested",
                name=module.__name__,
            )


def needed_patches(versions: Mapping[str, Version]) -> tuple[Patch, ...]:
    """Return the rows of `PATCHES` that a set of installed versions needs."""
    return tuple(
        patch
        for patch in PATCHES
        if versions.get(patch.module.partition(".")[0], patch.last) <= patch.last
        and versions.get(patch.library, (0, 0)) >= patch.since
    )


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


# ----------------------------------------------------------------------------- waiting for imports


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what the later finders find, and wraps the loaders of awaited modules in `_Loader`."""

    def __init__(self):
        self.callbacks: dict[str, list[Callable[[ModuleType], None]]] = {}

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in self.callbacks and all(name != patch.module for patch in PATCHES):
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(name, path, target) for finder in later)
        spec = next(filter(None, specs), None)
        if spec is not None:
            spec.loader = _Loader(spec.loader, self.callbacks.setdefault(name, []))
        elif name in EXTRAS and sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":
            raise MissingExtra(name)  # to an import; `importlib.util.find_spec` finds None
        return spec


class _Loader(importlib.abc.Loader):
    """Executes a module with the patches that it needs, then calls the callbacks."""

    def __init__(self, loader, callbacks):
        self.loader = loader
        self.callbacks = callbacks

    def __getattr__(self, name):  # get_code, get_data, ... for runpy and pkgutil
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        patches = [p for p in needed_patches(installed_versions()) if p.module == module.__name__]
        for patch in patches:
            if patch.before:
                patch.before(module)
        self.loader.exec_module(module)
        for patch in patches:
            if patch.after:
                patch.after(module)
        for callback in self.callbacks:
            callback(module)


_FINDER = _Finder()


def install() -> None:
    """Patch the backends when they are imported, and already imported ones where possible."""
    if _FINDER in sys.meta_path:
        return
    sys.meta_path.insert(0, _FINDER)
    for message in MENDED:
        warnings.filterwarnings("ignore", message, UserWarning, r"nengo_(dl|loihi)\.")
    for patch in needed_patches(installed_versions()):
        if patch.after and patch.module in sys.modules:
            patch.after(sys.modules[patch.module])


def on_import(name: str, callback: Callable[[ModuleType], Any]) -> None:
    """Call a function with a module once it is imported, which may be now.

    Parameters
    ----------
    name : str
        The full name of the module, such as ``"nengo_dl"``.
    callback : callable
        The function, which is called with the module after it was executed and before the import
        statement ends. Its errors become errors of the import.
    """
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        callback(module)
    else:
        _FINDER.callbacks.setdefault(name, []).append(callback)
