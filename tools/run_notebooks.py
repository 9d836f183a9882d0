"""Execute notebooks and store their outputs.

python tools/run_notebooks.py                    all of notebooks/
python tools/run_notebooks.py notebooks/X.ipynb  one of them
"""

from __future__ import annotations

from pathlib import Path

import click
import nbformat
from nbclient import NotebookClient

from nengo_phasor import atomic

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
TIMEOUT = 300
"""Of a cell, in seconds."""


def execute(path: Path) -> nbformat.NotebookNode:
    """Return the notebook, executed in its own folder; its file does not change.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        # TensorFlow's C++ logs describe the machine: to the terminal, not into the notebook.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
    ).execute()
    # The version depends on who ran the notebook last: useless to readers, and noise in diffs.
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


@click.command(help=__doc__)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(paths):
    """Execute notebooks in place."""
    for path in paths or sorted(NOTEBOOKS.glob("*.ipynb")):
        click.echo(path.name)
        notebook = execute(path.resolve())
        with atomic.replacing(path) as place:
            nbformat.write(notebook, place)


if __name__ == "__main__":
    main()
