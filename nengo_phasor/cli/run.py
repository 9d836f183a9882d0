"""``nengo-phasor run``: run one of the papers' systems in a separate process."""

from __future__ import annotations

import signal
import subprocess
import sys

from nengo_phasor import compat
from nengo_phasor.cli.systems import System, check_model, systems
from nengo_phasor.models.shared.commands import INTERRUPTED

click = compat.require("click")

RUNNER = (sys.executable, "-m", "nengo_phasor.models")
"""The command that runs a system; its name and arguments follow."""

GRACE = 5.0
"""The time in seconds within which an interrupted model should begin to stop."""


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
    nengo-phasor run local_rhythms                      its commands
    nengo-phasor run local_rhythms demo --help          the options of one of its commands
    nengo-phasor run local_rhythms demo --images 500    run it

    Arguments after the model's name are passed on to the model. Files are written to the current
    folder: runs below runs/, and results to be committed below results/. Ctrl-C stops the model
    with exit code 130. Training keeps a checkpoint of each epoch, and commands with --resume
    continue from there.
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
            "Stopped. If the command has --resume, repeat it with --resume to continue from here.",
            err=True,
        )
    ctx.exit(code)


def show(name: str, system: System) -> None:
    """Print the commands of a system."""
    click.echo(system.text)
    click.echo(f"\nnengo-phasor run {name} {system.commands[0]} --help shows its options.")


def run_process(command: list[str]) -> int:
    """Run a command in a separate process and return its exit code, 130 after Ctrl-C.

    A terminal sends Ctrl-C to the process as well. If only this process gets it, it is passed on,
    as a request to terminate is.
    """
    process = subprocess.Popen(command)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return 128 - code if code < 0 else code
