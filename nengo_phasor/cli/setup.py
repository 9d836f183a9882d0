"""``nengo-phasor setup``: install what pip cannot install by itself."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys

from nengo_phasor import compat, extras

click = compat.require("click")

INSTALLED = ("nengo_dl", "tensorflow", "tf_keras")
"""The modules that ``setup dl`` installs."""


@click.command()
@click.argument("backend", type=click.Choice(["dl"]))
@click.pass_context
def setup(ctx, backend):
    """Install NengoDL, which needs help on Python 3.12 and later.

    \b
    nengo-phasor setup dl

    NengoDL's source package requires a setuptools that these Pythons cannot run. This command
    builds it with a newer one, in isolation, and installs it into this environment with
    TensorFlow and tf-keras. It is NengoDL as published; its licence is free for academic and
    personal use.
    """
    if all(map(importlib.util.find_spec, INSTALLED)):
        click.echo("NengoDL, TensorFlow and tf-keras are already installed.")
        return
    command = [*installer(), f"nengo-phasor[{backend}]", str(extras.NENGO_DL)]
    click.echo(f"Building NengoDL and installing it with TensorFlow:\n  {' '.join(command)}")
    done = subprocess.run(command)
    if done.returncode:
        click.echo("NengoDL was not installed; the lines above say why.", err=True)
    else:
        click.echo("Done: after import nengo_phasor, import nengo_dl works.")
    ctx.exit(int(done.returncode != 0))


def installer() -> list[str]:
    """Return the command that installs into this environment: pip's, or uv's without pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    uv = shutil.which("uv")
    if uv is None:
        raise click.ClickException(
            f"{sys.executable} has no pip, and uv is not on the PATH: install one of them"
        )
    return [uv, "pip", "install", "--python", sys.executable]
