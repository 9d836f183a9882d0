"""What can be run: the systems of `nengo_phasor.models`, as their docstrings tell of them."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from nengo_phasor import models


class System(NamedTuple):
    """What a system says of itself, its commands, and whether Nengo GUI opens it."""

    text: str
    commands: tuple[str, ...]
    gui: bool


def systems() -> dict[str, System]:
    """Return the systems by name, importing none: a paper's system takes long to import."""
    return {name: _system(name, model) for name, model in models.MODELS.items()}


def _system(name: str, model: models.Model) -> System:
    spec = importlib.util.find_spec(f"{models.__name__}.{model.commands}")
    if spec is None or spec.origin is None:
        raise ImportError(f"{name} is not in this installation: install nengo-phasor again")
    source = Path(spec.origin).read_text(encoding="utf-8")
    text = re.sub(" *\b\n", "", ast.get_docstring(ast.parse(source)) or "")  # click's mark
    commands = re.findall(rf"python networks/{name}\.py (\w+)", text)
    # Columns stay: what comes in place is two letters shorter.
    run = re.sub(rf"python networks/{name}\.py((?: \S+)*)", rf"nengo-phasor run {name}\1  ", text)
    return System(run.strip(), tuple(dict.fromkeys(commands)), model.network is not None)
