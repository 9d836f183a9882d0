"""``nengo-phasor run``: one of the papers' systems, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

from nengo_phasor import compat
from nengo_phasor.cli.systems import System, check_model, systems
from nengo_phasor.models.shared.commands import INTERRUPTED

click = compat.require("click")

RUNNER = (sys.executable, "-m", "nengo_phasor.models")
"""What runs a system: its name and arguments follow."""

GRACE = 5.0
"""Seconds in which a model that was interrupted with us should have begun to stop."""


@click.command(
    options_metavar="",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("model", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(ctx, model, arguments):
    """Run a model: one of the papers' systems.

    \b
    nengo-phasor run local_rhythms                      what it can do
    nengo-phasor run local_rhythms demo --help          the options of one of its commands
    nengo-phasor run local_rhythms demo --images 500    do it

    What follows the model's name goes to the model as it is. Files are written where you are: runs
    below runs/, and figures that are to be committed below results/. Ctrl-C stops the model, with
    exit code 130; training keeps a checkpoint of each epoch, and commands that have a --resume go
    on from there.
    """
    if model in (None, "-h", "--help"):
        click.echo(ctx.get_help())
        return
    known = systems()
    check_model(model, known)
    if known[model].commands and not arguments:
        show(model, known[model])
        return
    code = run_process([*RUNNER, model, *arguments])
    if code == INTERRUPTED:
        click.echo(
            "Stopped. Where the command has a --resume, the same with --resume goes on from here.",
            err=True,
        )
    ctx.exit(code)


def show(name: str, system: System) -> None:
    """Print what a system can do."""
    click.echo(system.text)
    click.echo(f"\nnengo-phasor run {name} {system.commands[0]} --help shows its options.")


def run_process(command: list[str]) -> int:
    """Run a command in a process of its own and return its exit code, 130 after Ctrl-C.

    A terminal sends Ctrl-C to the process as well; where only we get it, it is passed on.
    """
    process = subprocess.Popen(command)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
        return INTERRUPTED
    return 128 - code if code < 0 else code
