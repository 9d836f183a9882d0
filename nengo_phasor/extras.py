"""Optional packages: the extra of nengo-phasor that installs each, and errors if it is missing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXTRAS = {
    "nengo_dl": "dl",
    "tensorflow": "dl",
    "tf_keras": "dl",
    "nengo_loihi": "loihi",
    "nengo_gui": "gui",
    "threadpoolctl": "gui",
    "nengo_spa": "spa",
    "scipy": "layerwise",
    "numba": "layerwise",
    "sklearn": "factorize",
    "dask": "search",
    "matplotlib": "plot",
    "click": "cli",
    "jinja2": "cli",
    "filelock": "cli",
    "tqdm": "cli",
}
"""The extra of nengo-phasor that installs each optional module."""

NENGO_DL = Path(__file__).with_name("data") / "nengo-dl"
"""A folder that pip and uv install as NengoDL, whose own package Python >= 3.12 cannot build."""


def install_command(extra: str, python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return the command that installs an extra of nengo-phasor for a version of Python."""
    built = extra == "dl" and python >= (3, 12)
    if built and importlib.util.find_spec("click"):
        return "nengo-phasor setup dl"
    pip = "pip" if importlib.util.find_spec("pip") else "uv pip"
    return f'{pip} install "nengo-phasor[{extra}]"' + (f' "{NENGO_DL}"' if built else "")


class MissingExtra(ModuleNotFoundError):
    """A module of `EXTRAS` is not installed; the message has the command that installs it."""

    def __init__(self, module: str):
        command = install_command(EXTRAS[module])
        super().__init__(f"{module} is not installed. Run: {command}", name=module)


@contextmanager
def named() -> Iterator[None]:
    """Raise `MissingExtra` instead of Python's own error where a module of `EXTRAS` is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS or importlib.util.find_spec(missing) is not None:
            raise
        raise MissingExtra(missing) from None


@contextmanager
def named_at_exit() -> Iterator[None]:
    """End the process in one line, with status 2, where a module of `EXTRAS` is missing."""
    try:
        with named():
            yield
    except MissingExtra as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


def require(name: str) -> Any:
    """Import an optional module.

    Parameters
    ----------
    name : str
        The full name of the module, such as ``"nengo_dl"`` or ``"scipy.sparse"``.

    Raises
    ------
    MissingExtra
        If the module, or another module of `EXTRAS` that it needs, is not installed. This is an
        ImportError whose message gives the command that installs it.
    """
    with named():
        return importlib.import_module(name)
