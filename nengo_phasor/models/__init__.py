"""The papers' systems, a folder each: data -> network -> training -> measure -> claims -> report.

`load` gives a system's network with its committed weights; ``nengo-phasor run NAME`` and
``python networks/NAME.py`` run its commands. A system is only imported when it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import nengo
from nengo.exceptions import ValidationError

from nengo_phasor import extras
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

PARAMS = Path(__file__).parent / "params"
"""Committed weights: npz files, loaded without pickle."""


class Model(NamedTuple):
    """The modules of this package that make up a system.

    ``commands`` has the Click command ``main``, whose own commands are ``subcommands``, and the
    docstring that describes them. ``network`` has the function ``gui_model`` that builds
    the model for Nengo GUI, and is called with ``arguments``. Either may be None.
    """

    commands: str | None
    network: str | None
    subcommands: tuple[str, ...] = ()
    arguments: tuple = ()


STAGES = ("train", "evaluate", "results", "export")

MODELS = {
    "adaptive_cifar": Model("adaptive.cifar_commands", "adaptive.cifar_gui", STAGES),
    "adaptive_digits": Model("adaptive.digits_commands", "adaptive.digits_gui", STAGES, ("mnist",)),
    "adaptive_focus": Model("adaptive.focus_commands", None, ("train", "results")),
    "adaptive_garments": Model(
        "adaptive.garments_commands", "adaptive.digits_gui", STAGES, ("fashion",)
    ),
    "adaptive_graded": Model("adaptive.graded_commands", None, ("train", "results")),
    "adaptive_iris": Model(
        "adaptive.iris_commands", "adaptive.table_gui", ("results", "export"), ("iris",)
    ),
    "adaptive_neuron": Model(
        "adaptive.neuron_commands", "adaptive.neuron_gui", ("figures", "results")
    ),
    "adaptive_resnet": Model("adaptive.resnet_commands", None, ("measure", "results")),
    "adaptive_sonar": Model(
        "adaptive.sonar_commands", "adaptive.table_gui", ("results", "export"), ("sonar",)
    ),
    "deep_rhythms": Model(
        "deep_rhythms.commands", "deep_rhythms.gui", ("train", "results", "export")
    ),
    "factorized_if": Model("factorized.commands", "factorized.gui", ("demo", "figures", "results")),
    "heart_beats": Model("heart_beats.commands", "heart_beats.gui", ("train", "results", "export")),
    "local_rhythms": Model("rhythms.commands", "rhythms.gui", ("demo", "results", "export")),
    "on_chip": Model("chip.commands", "chip.gui", ("train", "results")),
    "organic_rhythm": Model("rhythms.organic_commands", None, ("results",)),
    "phase_sparsity": Model(
        "rhythms.sparsity_commands", "rhythms.sparsity_gui", ("demo", "results", "export")
    ),
    "sparse_deep": Model("lenet.deep_commands", None, ("train", "results")),
    "sparse_lenet": Model("lenet.commands", "lenet.gui", ("train", "results", "export")),
    "three_oscillators": Model("oscillators.commands", "oscillators.gui"),
}


def with_network() -> list[str]:
    """Return the names of the systems that have a network to show."""
    return [name for name, model in MODELS.items() if model.network]


def refusal(name: str, known: Collection[str]) -> str | None:
    """Return why this is not the name of a known system, or None. A path gets its own message."""
    if name in known:
        return None
    if isinstance(name, (str, os.PathLike)) and Path(name).stem in known:
        return f"{name!r} is a path; give the model's name, {Path(name).stem!r}"
    return f"{name!r} is not one of {', '.join(known)}"


def load(name: str) -> nengo.Network:
    """Return a system's network with its committed weights, as Nengo GUI opens it.

    Parameters
    ----------
    name : str
        One of `MODELS`, such as "local_rhythms".

    Raises
    ------
    nengo.exceptions.ValidationError
        If no system has this name, or it has no network to show.
    """
    if why := refusal(name, with_network()):
        raise ValidationError(why, "name")
    model = MODELS[name]
    with extras.named():
        return import_module(f"{__name__}.{model.network}").gui_model(*model.arguments)


def opened(name: str) -> tuple[nengo.Network, Callable]:
    """Return the names that Nengo GUI expects in a model's file: ``model`` and ``on_start``.

    Parameters
    ----------
    name : str
        One of `MODELS` that has a network.

    Returns
    -------
    nengo.Network
        The system's network with its committed weights.
    callable
        The function that Nengo GUI calls with each new simulator of the network.

    Raises
    ------
    nengo.exceptions.ValidationError
        If no system has this name, or it has no network to show.
    """
    network = load(name)
    gui = import_module(f"{__name__}.shared.gui")
    return network, gui.starter(network)


def close_editor(page) -> None:
    """Open a page of Nengo GUI with its editor closed. The layouts in ``networks/`` call it."""
    import_module(f"{__name__}.shared.closed_editor").close_editor(page)


def main(name: str) -> None:
    """Run a system's commands with the arguments and the name of this process."""
    with extras.named_at_exit():
        commands = import_module(f"{__name__}.{MODELS[name].commands}")
    commands.main(prog_name=sys.argv[0])
