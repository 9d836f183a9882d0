"""The command line ``nengo-phasor``, with one module per command."""

from __future__ import annotations

import nengo_phasor
from nengo_phasor import compat
from nengo_phasor.cli.convert import convert
from nengo_phasor.cli.copy import copy
from nengo_phasor.cli.gui import gui
from nengo_phasor.cli.info import info
from nengo_phasor.cli.lists import list_
from nengo_phasor.cli.run import run
from nengo_phasor.cli.setup import setup
from nengo_phasor.models.shared.commands import Commands

click = compat.require("click")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(nengo_phasor.__version__, package_name="nengo-phasor")
def main():
    """Rhythm, phase and sparse spikes for Nengo.

    \b
    Begin with
      nengo-phasor info                     what works on this machine
      nengo-phasor list                     models, data sets, results
      nengo-phasor run local_rhythms        the commands of a model
      nengo-phasor run local_rhythms demo   run one of them
      nengo-phasor gui local_rhythms        watch it in Nengo GUI

    Each command has its own --help. Exit codes: 0 success, 1 failure, 2 wrong usage, 130 stopped
    by Ctrl-C.
    """


for command in (convert, copy, gui, info, list_, run, setup):
    main.add_command(command)
