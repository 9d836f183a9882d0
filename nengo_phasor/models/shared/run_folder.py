"""The folder of a run, which keeps its files so that a later run can continue.

Only one process at a time can use it, so all its files come from one process or its successors.
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
"""The file that identifies the folder of a run, and distinguishes runs from each other."""

LOCK = ".lock"
"""The file that the process using the folder locks. It remains when the process has ended."""

ANEW = "give another folder, or omit --resume to start again"
AGAIN = "delete it to create it again, or give another folder"


def open_run(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Empty the folder for a new run, or check that it contains the run to resume.

    The folder belongs to this process until the process ends, however it ends. Unfinished files of
    killed processes are removed. Pictures and pages stay until they are replaced.

    Parameters
    ----------
    folder : path
        The folder, which is created if necessary.
    settings : mapping
        Everything on which the run's files depend, in types that JSON supports.
    resume : bool
        Whether to keep the files of an earlier run with the same settings.

    Raises
    ------
    click.ClickException
        If another process uses the folder, if the run in it has other settings or cannot be
        identified, or if the folder contains files but is not the folder of a run.
    """
    note = folder / NOTE
    folder.mkdir(parents=True, exist_ok=True)
    if not note.exists() and any(not p.name.startswith((NOTE, LOCK)) for p in folder.iterdir()):
        raise click.ClickException(
            f"{folder} has files that do not belong to a run, which would delete them: "
            "give a new folder"
        )
    _held(folder.resolve())
    for unfinished in folder.glob(f"**/*{atomic.UNFINISHED}"):
        unfinished.unlink(missing_ok=True)
    if resume and note.exists():
        saved, wanted = read(note, remedy=ANEW), json.loads(json.dumps(settings))
        names = sorted({*saved, *wanted})
        different = ", ".join(name for name in names if saved.get(name) != wanted.get(name))
        if different:
            raise click.ClickException(
                f"{note} belongs to a run with other settings ({different}): {ANEW}"
            )
        return
    for made in {*folder.glob("**/*.npz"), *folder.glob("*.json")} - {note}:
        made.unlink()
    results.write(note, settings)


def read(path: Path, *names: str, remedy: str = AGAIN) -> dict[str, Any]:
    """Return the content of a run's JSON file: an object with at least these names.

    Raises
    ------
    click.ClickException
        If the file is damaged. The error names a remedy.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # from JSON, or from bytes that are not text
        raise click.ClickException(f"{path} is damaged ({error}): {remedy}") from error
    if not isinstance(content, dict) or not content.keys() >= set(names):
        wanted = " with " + ", ".join(names) if names else ""
        raise click.ClickException(f"{path} is damaged (no object{wanted}): {remedy}")
    return content


def kept(path: Path, make: Callable[[], Mapping[str, Any]], *names: str) -> dict[str, Any]:
    """Return the content of a run's JSON file; if there is none, make and write it first.

    ``names`` are names that it must contain: see `read`.
    """
    if not path.exists():
        results.write(path, make())
    return read(path, *names)


@cache
def _held(folder: Path):
    """Return this process's lock of a folder. It is cached and thus held until the process ends.

    Child processes do not share it, because they may outlive a process that was killed.
    """
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise click.ClickException(
            f"{folder} is in use by another process: wait for it to end, or give another folder"
        ) from error
    return lock
