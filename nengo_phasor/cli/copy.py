"""``nengo-phasor copy``: the files of the repository that people open, for who has no clone."""

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

    networks/ has the models as Nengo GUI opens them, with their layouts; results/ has the committed
    figures, which notebooks show. Nothing is replaced: a FOLDER that has one of the three already
    is refused.
    """
    targets = {name: folder / name for name in SHARED}
    there = [str(target) for target in targets.values() if target.exists()]
    if there:
        raise click.ClickException(f"{there[0]} is there already: choose another FOLDER")
    for name, target in targets.items():
        copy_files(shared_files(name), target)
        click.echo(f"{target}: {len(list(target.iterdir()))} files")


def copy_files(files: list[Path], target: Path) -> None:
    """Copy files into a folder, which is made.

    Raises
    ------
    click.ClickException
        If there are no files, which an installation may have left out.
    """
    if not files:
        raise click.ClickException("this installation lacks them: install nengo-phasor again")
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, target / file.name)
