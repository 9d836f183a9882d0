"""Atomic writing of files: a file is either complete or absent, even if the writer is killed."""

from __future__ import annotations

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished-*.tmp"
"""The suffix of the names of files that are not yet complete."""

STALE_AFTER = 3600.0
"""Seconds without a change after which an incomplete file is taken to be abandoned.

We cannot ask the writing process, because it may run on another machine, and because process ids
are reused.
"""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield the path of a temporary file next to ``path``, which it replaces on success.

    An error, such as a full disk, leaves the old file as it was and removes the temporary file. If
    several threads or processes write at once, the last file stays. A temporary file left by a
    killed writer is removed when the file is written again, `STALE_AFTER` seconds later or more.

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
