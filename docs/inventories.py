"""The pages on which other projects document the names that this documentation refers to.

A build must not need the internet, so the inventories of these projects are not fetched. This
module has the few names that are used and writes them in the format that
`sphinx.ext.intersphinx` reads.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple


class Project(NamedTuple):
    """A project's documentation: its address, and the names used here by their page."""

    address: str
    names: dict[str, tuple[str, ...]]


NENGO = Project(
    "https://www.nengo.ai/nengo/",
    {
        "frontend-api.html": (
            "nengo.Connection",
            "nengo.Convolution",
            "nengo.Ensemble",
            "nengo.Lowpass",
            "nengo.Network",
            "nengo.Node",
            "nengo.Probe",
            "nengo.Process",
            "nengo.neurons.NeuronType",
            "nengo.processes.PresentInput",
            "nengo.synapses.Synapse",
        ),
        "backend-api.html": (
            "nengo.Simulator",
            "nengo.builder.Model",
            "nengo.exceptions.BuildError",
            "nengo.exceptions.SimulationError",
            "nengo.exceptions.ValidationError",
        ),
    },
)

PROJECTS = {
    "nengo": NENGO,
    "nengo_dl": Project(
        "https://www.nengo.ai/nengo-dl/", {"reference.html": ("nengo_dl.Simulator",)}
    ),
    "nengo_loihi": Project(
        "https://www.nengo.ai/nengo-loihi/", {"api.html": ("nengo_loihi.Simulator",)}
    ),
    "python": Project(
        "https://docs.python.org/3/", {"library/sys.html": ("sys.modules", "sys.meta_path")}
    ),
}


def write(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the inventories into a folder; return the value of `intersphinx_mapping`."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for name, project in PROJECTS.items():
        entries = "".join(
            f"{item} {_role(item)} 1 {page}#$ -\n"
            for page, items in project.names.items()
            for item in items
        )
        header = (
            "# Sphinx inventory version 2\n"
            f"# Project: {name}\n# Version: \n"
            "# The remainder of this file is compressed using zlib.\n"
        )
        path = folder / f"{name}.inv"
        path.write_bytes(header.encode() + zlib.compress(entries.encode()))
        mapping[name] = (project.address, str(path))
    return mapping


def _role(name: str) -> str:
    return "py:class" if name.rpartition(".")[2][0].isupper() else "py:data"
