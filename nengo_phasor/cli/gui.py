"""``nengo-phasor gui``: open one of the papers' systems in Nengo GUI."""

from __future__ import annotations

import sys
import warnings
import webbrowser
from pathlib import Path

from nengo_phasor import compat, models
from nengo_phasor.cli.console import CHECKOUT, in_checkout, shared_files
from nengo_phasor.cli.copy import copy_files
from nengo_phasor.cli.systems import check_model

click = compat.require("click")

OPENED = Path("runs/gui")
"""The folder for a model's file and layout if there is no folder networks/."""


@click.command(options_metavar="", context_settings={"ignore_unknown_options": True})
@click.argument("model")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def gui(model, arguments):
    """Open a MODEL in Nengo GUI, in the browser.

    \b
    nengo-phasor gui local_rhythms
    nengo-phasor gui three_oscillators --port 8000 --no-browser
    nengo-phasor gui three_oscillators -b nengo_loihi

    Arguments after the model's name are passed on to Nengo GUI. The command opens
    networks/MODEL.py, of the current folder or of the clone. If there is neither, it opens a copy
    below runs/gui, which keeps your changes of the layout. Without a browser on this machine, it
    prints the address to open. Ctrl-C ends it.
    """
    check_model(model, models.with_network())
    warnings.filterwarnings("ignore", "Install the jedi module")  # the editor works without
    nengo_gui = compat.require("nengo_gui.main")
    sys.argv = ["nengo", *without_browser(arguments), str(door(model)), *arguments]
    nengo_gui.main()


def without_browser(arguments: tuple[str, ...]) -> list[str]:
    """Return the option that keeps Nengo GUI from ending where it finds no browser to open."""
    if any(argument.startswith(("--browser", "--no-browser")) for argument in arguments):
        return []
    try:
        webbrowser.get()
    except webbrowser.Error:
        click.echo("No browser was found here. Open the address below in a browser.")
        return ["--no-browser"]
    return []


def door(name: str) -> Path:
    """Return the file of a model that Nengo GUI opens."""
    roots = [Path(), *([CHECKOUT] if in_checkout() else []), OPENED]
    for root in roots:
        path = root / "networks" / f"{name}.py"
        if path.exists():
            return path
    copy_files([f for f in shared_files("networks") if f.stem in (name, f"{name}.py")], path.parent)
    return path
