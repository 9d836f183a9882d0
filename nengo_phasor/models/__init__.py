"""The papers' systems, a room each: data -> network -> training -> measure -> claims -> report.

`load` gives a system's network with its committed weights; ``nengo-phasor run NAME`` and
``python networks/NAME.py`` are its commands. Nothing of a room is imported before it is asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import nengo
from nengo.exceptions import ValidationError

from nengo_phasor import extras

PARAMS = Path(__file__).parent / "params"
"""Committed weights: npz files, loaded without pickle."""


class Model(NamedTuple):
    """Where a system is found, as modules of this package.

    ``commands`` has the click group ``main``, and the docstring that says what can be done;
    ``network`` has the function ``gui_model`` that builds what Nengo GUI opens, and is called with
    ``arguments``. Either may be None.
    """

    commands: str | None
    network: str | None
    arguments: tuple = ()


MODELS = {
    "adaptive_cifar": Model("adaptive.cifar_commands", "adaptive.cifar_gui"),
    "adaptive_digits": Model("adaptive.digits_commands", "adaptive.digits_gui", ("mnist",)),
    "adaptive_garments": Model("adaptive.garments_commands", "adaptive.digits_gui", ("fashion",)),
    "adaptive_iris": Model("adaptive.iris_commands", "adaptive.table_gui", ("iris",)),
    "adaptive_neuron": Model("adaptive.neuron_commands", "adaptive.neuron_gui"),
    "adaptive_resnet": Model("adaptive.resnet_commands", None),
    "adaptive_sonar": Model("adaptive.sonar_commands", "adaptive.table_gui", ("sonar",)),
    "factorized_if": Model("factorized.commands", "factorized.gui"),
    "local_rhythms": Model("rhythms.commands", "rhythms.gui"),
    "on_chip": Model("chip.commands", "chip.gui"),
    "phase_sparsity": Model("rhythms.sparsity_commands", "rhythms.sparsity_gui"),
    "sparse_lenet": Model("lenet.commands", "lenet.gui"),
    "three_oscillators": Model("oscillators.commands", "oscillators.gui"),
}


def load(name: str) -> nengo.Network:
    """Return a system's network with its committed weights, as Nengo GUI opens it.

    Parameters
    ----------
    name : str
        One of `MODELS`, such as "local_rhythms".

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is no such system, or it has no network to show.
    """
    known = [known for known, model in MODELS.items() if model.network]
    if name not in known:
        raise ValidationError(f"must be one of {', '.join(known)}; got {name!r}", "name")
    model = MODELS[name]
    with extras.named():
        return import_module(f"{__name__}.{model.network}").gui_model(*model.arguments)


def main(name: str) -> None:
    """Run a system's commands with the arguments of this process, which are said to be its own."""
    with extras.named_at_exit():
        commands = import_module(f"{__name__}.{MODELS[name].commands}")
    commands.main(prog_name=sys.argv[0])
