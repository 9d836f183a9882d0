"""The folder that a run keeps what it made in, so that another can go on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nengo_phasor import results

NOTE = "settings.json"
"""What tells a run's folder from any other, and one run from another."""


def open_run(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Empty the folder for a new run, or check that the run in it is the one to resume.

    Pictures and pages stay until they are made again.

    Raises
    ------
    click.ClickException
        If the run in it has other settings, or the folder has files but is no run's.
    """
    note = folder / NOTE
    if not note.exists() and folder.exists() and any(folder.iterdir()):
        raise click.ClickException(
            f"{folder} has files that are not of a run, which would empty it: give a new folder"
        )
    if resume and note.exists():
        if json.loads(note.read_text()) != json.loads(json.dumps(settings)):
            raise click.ClickException(
                f"{note} is of a run with other settings; give another folder, or leave "
                "out --resume to start anew"
            )
        return
    for made in {*folder.glob("**/*.npz"), *folder.glob("*.json")} - {note}:
        made.unlink()
    results.write(note, settings)
