"""The folder that a run keeps what it made in, so that another can go on from there.

One process at a time: what a run has is what one process, or its successors, put there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nengo_phasor import atomic, compat, results

click = compat.require("click")
filelock = compat.require("filelock")

NOTE = "settings.json"
"""What tells a run's folder from any other, and one run from another."""

LOCK = ".lock"
"""What the process that has the folder holds; it stays when the process has ended."""

ANEW = "give another folder, or leave out --resume to start anew"
AGAIN = "delete it to have it made again, or give another folder"


def open_run(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Empty the folder for a new run, or check that the run in it is the one to resume.

    The folder is this process's until the process ends, however it ends. What killed writers left
    half-written is removed. Pictures and pages stay until they are made again.

    Parameters
    ----------
    folder : path
        It is made if there is none.
    settings : mapping
        All that the run's files depend on, of types that JSON knows.
    resume : bool
        Whether to keep what an earlier run of the same settings left.

    Raises
    ------
    click.ClickException
        If another process has the folder, the run in it has other settings or can't be told, or
        the folder has files but is no run's.
    """
    note = folder / NOTE
    folder.mkdir(parents=True, exist_ok=True)
    if not note.exists() and any(not p.name.startswith((NOTE, LOCK)) for p in folder.iterdir()):
        raise click.ClickException(
            f"{folder} has files that are not of a run, which would empty it: give a new folder"
        )
    _held(folder.resolve())
    for unfinished in folder.glob(f"**/*{atomic.UNFINISHED}"):
        unfinished.unlink(missing_ok=True)
    if resume and note.exists():
        if read(note, remedy=ANEW) != json.loads(json.dumps(settings)):
            raise click.ClickException(f"{note} is of a run with other settings: {ANEW}")
        return
    for made in {*folder.glob("**/*.npz"), *folder.glob("*.json")} - {note}:
        made.unlink()
    results.write(note, settings)


def read(path: Path, *names: str, remedy: str = AGAIN) -> dict[str, Any]:
    """Return what a run's JSON file holds: an object with these names, at least.

    Raises
    ------
    click.ClickException
        If it is damaged, with what can be done.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, and of bytes that are no text
        raise click.ClickException(f"{path} is damaged ({error}): {remedy}") from error
    if not isinstance(content, dict) or not content.keys() >= set(names):
        wanted = " with " + ", ".join(names) if names else ""
        raise click.ClickException(f"{path} is damaged (no object{wanted}): {remedy}")
    return content


def kept(path: Path, make: Callable[[], Mapping[str, Any]], *names: str) -> dict[str, Any]:
    """Return what a run's JSON file holds; where it is not there, make and write it first.

    ``names`` are what it has, at least: see `read`.
    """
    if not path.exists():
        results.write(path, make())
    return read(path, *names)


@cache
def _held(folder: Path):
    """Return this process's lock of a folder: cached, so held, until the process ends.

    Children have no part in it: they may outlive a process that was killed.
    """
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise click.ClickException(
            f"{folder} is in use by another process: wait for it to end, or give another folder"
        ) from error
    return lock
