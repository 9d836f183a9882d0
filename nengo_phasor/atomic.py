"""Files that are there whole or not at all, whoever else writes them, whatever ends the writer."""

from __future__ import annotations

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished-*.tmp"
"""What is added to the name of a file that is not whole."""

STALE_AFTER = 3600.0
"""Seconds without a change after which nobody writes a file any more.

No process can be asked whether it still does: it may be of another machine, and numbers of
processes are used again.
"""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a new file's place, next to ``path``, which it replaces when all went well.

    An error, such as that of a full disk, leaves the old file as it was and nothing beside it.
    Of several who write at once, in threads or processes, the last one's file stays. What a killed
    writer left is removed when the file is written again, `STALE_AFTER` seconds later or more.

    Examples
    --------
    >>> with replacing("figures.json") as place:  # doctest: +SKIP
    ...     place.write_text("{}")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(glob.escape(path.name) + UNFINISHED):
        with suppress(FileNotFoundError):  # another writer's, which has ended, or removed it, too
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()
    place = path.with_name(path.name + UNFINISHED.replace("*", secrets.token_hex(8)))
    try:
        yield place
        with open(place, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(place, path)
    finally:
        place.unlink(missing_ok=True)
