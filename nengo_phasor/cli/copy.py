"""``nengo-phasor copy``: copy the repository's files that users open, without a clone."""

from __future__ import annotations

import shutil
from pathlib import Path

from nengo_phasor import compat
from nengo_phasor.cli.console import SHARED, shared_files

click = compat.require("click")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def copy(folder):
    """Copy networks/, notebooks/ and results/ into FOLDER.

    \b
    nengo-phasor copy mine
    nengo mine/networks/local_rhythms.py
    jupyter lab mine/notebooks

    networks/ has the models with their layouts for Nengo GUI; results/ has the committed
    results, which the notebooks show. Nothing is replaced: a FOLDER that already has one of the
    three is rejected.
    """
    targets = {name: folder / name for name in SHARED}
    there = [str(target) for target in targets.values() if target.exists()]
    if there:
        raise click.ClickException(f"{there[0]} already exists: choose another FOLDER")
    for name, target in targets.items():
        copy_files(shared_files(name), target)
        click.echo(f"{target}: {len(list(target.iterdir()))} files")


def copy_files(files: list[Path], target: Path) -> None:
    """Copy files into a new folder.

    Raises
    ------
    click.ClickException
        If there are no files, because the installation is incomplete.
    """
    if not files:
        raise click.ClickException("this installation lacks them: install nengo-phasor again")
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, target / file.name)
