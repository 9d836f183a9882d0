"""Files under ``results/``: numbers with the command, versions, machine and seeds that made them.

This serves scripts and the tools; the library itself does not need it.
"""

from __future__ import annotations

import importlib.metadata
import json
import operator
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from nengo_phasor import atomic
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

PACKAGES = (
    "nengo-phasor",
    "nengo",
    "nengo-dl",
    "nengo-loihi",
    "tensorflow",
    "tf-keras",
    "numpy",
    "scipy",
)

COMPARISONS = {">=": operator.ge, "<=": operator.le}


class Claim(NamedTuple):
    """A measured number beside its target.

    Attributes
    ----------
    name, unit : str
        The quantity that was measured, and its unit.
    value : float
        The measured value.
    bound : str
        The target, such as ">= 0.875".
    paper : str
        The paper's own number, with its place in the paper.
    """

    name: str
    value: float
    unit: str
    bound: str
    paper: str = ""

    @property
    def holds(self) -> bool:
        """Return whether the value meets the target."""
        comparison, number = self.bound.split()
        return bool(COMPARISONS[comparison](self.value, float(number)))

    @property
    def verdict(self) -> str:
        """Return a line that states whether the target is met."""
        verdict = "holds" if self.holds else "FAILS"
        return f"{verdict}  {self.name}: {self.value:.4f} {self.unit} {self.bound}"


def report(
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    figures: Mapping[str, Any],
    claims: Sequence[Claim],
) -> dict[str, Any]:
    """Return the content of a results file, with command, date, versions and machine."""
    return {
        "command": command(),
        "date": date.today().isoformat(),
        "versions": versions(),
        "machine": machine(),
        "seeds": list(seeds),
        "settings": dict(settings),
        "figures": dict(figures),
        "claims": [claim._asdict() for claim in claims],
    }


def command() -> str:
    """Return the command of this process: a script, or a command of ``nengo-phasor run``."""
    program, *arguments = sys.argv
    script = program.endswith(".py")
    return " ".join(
        [f"python {os.path.relpath(program)}" if script else program, *map(shlex.quote, arguments)]
    )


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Return a description of the machine, without its name."""
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def write(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Write a JSON file completely or not at all."""
    with atomic.replacing(path) as place:
        place.write_text(json.dumps(content, indent=1) + "\n")
