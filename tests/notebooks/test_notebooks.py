import importlib.util
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
for needed in ("nbclient", "ipykernel"):
    pytest.importorskip(needed)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import run_notebooks  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
UNWANTED = ("/work/", "/root/", "/home/", "Warning", "WARNING")
LARGEST = 400_000
BACKENDS = {
    "nengo_dl": "nengo_dl",
    "to_adaptive": "nengo_dl",
    "phasor.loihi": "nengo_loihi",
    "layerwise": "numba",
    "adaptive_spiking": "numba",
}
"""What a notebook's source has if it needs a module."""

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


def printed(notebook):
    streams = [output for output in outputs(notebook) if output.get("name") == "stdout"]
    return "".join(output.text for output in streams)


def said(output):
    """Return an output's text, of whatever kind; not its picture."""
    texts = {kind: text for kind, text in output.get("data", {}).items() if "image" not in kind}
    return "\n".join([output.get("text", ""), *map(str, texts.values())])


def test_there_are_notebooks():
    assert NOTEBOOKS


@each
def test_is_kept_executed(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert pictures(notebook)
    assert path.stat().st_size < LARGEST
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
        for text in UNWANTED:
            assert text not in said(output)


@each
def test_runs_and_says_what_is_kept(path):
    kept = nbformat.read(path, as_version=4)
    source = "\n".join(cell.source for cell in code(kept))
    for sign, module in BACKENDS.items():
        if sign in source and importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
    made = run_notebooks.execute(path)
    assert len(pictures(made)) == len(pictures(kept))
    assert printed(made) == printed(kept), "stale: run tools/run_notebooks.py"
