"""Adaptive spiking neurons read garments: the networks for digits, on FashionMNIST.

\b
python networks/adaptive_garments.py train               train a network, with checkpoints
python networks/adaptive_garments.py evaluate --resume   convert it to spikes, measure it, draw
python networks/adaptive_garments.py results --resume    the committed figures
python networks/adaptive_garments.py export              commit the weights of a run
nengo networks/adaptive_garments.py                      Nengo GUI, from committed weights

"""

from __future__ import annotations

from nengo_phasor.models.adaptive import digits_commands
from nengo_phasor.models.shared.commands import Commands

COMMANDS = digits_commands.main.commands

main = Commands(
    commands=COMMANDS,
    help=__doc__,
    context_settings={"default_map": {name: {"name": "fashion"} for name in COMMANDS}},
)
