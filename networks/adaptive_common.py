"""What the adaptive networks share: runs that resume, spiking evaluation, claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nengo_phasor import results


def open_run(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Empty the folder for a new run, or check that the run in it is the one to resume.

    Raises
    ------
    click.ClickException
        If the run in it has other settings.
    """
    note = folder / "settings.json"
    if resume and note.exists():
        if json.loads(note.read_text()) != json.loads(json.dumps(settings)):
            raise click.ClickException(
                f"{note} is of a run with other settings; give another folder, or leave "
                "out --resume to start anew"
            )
        return
    for made in (*folder.glob("*.npz"), *folder.glob("*.json")):
        made.unlink()
    results.write(note, settings)
