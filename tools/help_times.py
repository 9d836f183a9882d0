"""Print the processor time of ``--help`` beyond ``import nengo``, for each model and command.

python tools/help_times.py --repeats 5
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from nengo_phasor import models

ROOT = Path(__file__).resolve().parents[1]
NENGO = ("-c", "import nengo")
COMMANDS = {
    "nengo-phasor": ("-m", "nengo_phasor", "--help"),
    **{name: (str(ROOT / "networks" / f"{name}.py"), "--help") for name in models.MODELS},
}


def seconds(arguments: tuple[str, ...], repeats: int) -> float:
    """Return the minimum processor time of Python with these arguments over several tries."""
    return min(_once(arguments) for _ in range(repeats))


def _once(arguments: tuple[str, ...]) -> float:
    before = os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


@click.command(help=__doc__)
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1))
def main(repeats):
    """Print the table."""
    nengo = seconds(NENGO, repeats)
    click.echo(f"{'import nengo':20s}  {nengo:5.2f} s of processor time")
    for name, command in COMMANDS.items():
        click.echo(f"{name:20s} {seconds(command, repeats) - nengo:+6.2f} s")


if __name__ == "__main__":
    main()
