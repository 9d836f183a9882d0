"""The systems of `nengo_phasor.models` that can be run, from their docstrings."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from nengo_phasor import compat, models

click = compat.require("click")


class System(NamedTuple):
    """A system: its description, its commands, and whether Nengo GUI opens it."""

    text: str
    commands: tuple[str, ...]
    gui: bool


def systems() -> dict[str, System]:
    """Return the systems by name, without importing any, since imports are slow."""
    return {name: _system(name, model) for name, model in models.MODELS.items()}


def _system(name: str, model: models.Model) -> System:
    spec = importlib.util.find_spec(f"{models.__name__}.{model.commands}")
    if spec is None or spec.origin is None:
        raise ImportError(f"{name} is not in this installation: install nengo-phasor again")
    source = Path(spec.origin).read_text(encoding="utf-8")
    text = re.sub(" *\b\n", "", ast.get_docstring(ast.parse(source)) or "")  # click's mark
    # Columns stay aligned: the replacement is one or two letters shorter.
    text = re.sub(rf"nengo networks/{name}\.py((?: \S+)*)", rf"nengo-phasor gui {name}\1 ", text)
    run = re.sub(rf"python networks/{name}\.py((?: \S+)*)", rf"nengo-phasor run {name}\1  ", text)
    return System(run.strip(), model.subcommands, model.network is not None)


def check_model(name: str, known: Collection[str]) -> None:
    """Raise a `click.BadParameter` unless this is the name of a known model."""
    if why := models.refusal(name, known):
        raise click.BadParameter(why, param_hint="MODEL")
