"""Files that are there whole or not at all, whoever else writes them, whatever ends the writer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".*-*.tmp"
"""What is added to the name of a file that is not whole: the writer's process, and a number."""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a new file's place, next to ``path``, which it replaces when all went well.

    An error, such as that of a full disk, leaves the old file as it was and nothing beside it.
    Of several who write at once, in threads or processes, the last one's file stays.

    Examples
    --------
    >>> with replacing("figures.json") as place:  # doctest: +SKIP
    ...     place.write_text("{}")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent, path.name)
    place = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield place
        with open(place, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(place, path)
    finally:
        place.unlink(missing_ok=True)


def remove_stale(folder: Path, name: str = "*") -> None:
    """Remove what killed writers of a file of this name, or of any, left in a folder."""
    for place in folder.glob(name + UNFINISHED):
        pid = place.name.rsplit(".", 2)[-2].partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            place.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
