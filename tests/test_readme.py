"""The README's Python blocks, typed into Python line by line as somebody who pastes them does."""

import code
import re
from pathlib import Path

import pytest

from tests.models.images import write_class_rows

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def paste(block, console):
    """Type a block into a console, and an empty line; whatever fails, fails here."""
    for line in [*block.splitlines(), ""]:
        more = console.push(line)
    assert not more, "the block ends within a statement"


@pytest.fixture
def console(monkeypatch):
    """Return a console like Python's own, in which an exception is an exception."""

    def failed(self, *args, **kwargs):
        raise

    monkeypatch.setattr(code.InteractiveInterpreter, "showtraceback", failed)
    monkeypatch.setattr(code.InteractiveInterpreter, "showsyntaxerror", failed)
    return code.InteractiveConsole()


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("print(unheard_of)", NameError),
        ("for k in range(2):\n    pass\nprint(k)", SyntaxError),
        ("print(", AssertionError),
    ],
)
def test_a_failing_paste_is_noticed(console, block, error):
    with pytest.raises(error):
        paste(block, console)


def test_blocks_run_when_pasted_in_order(console, tmp_path, monkeypatch, capsys):
    """FashionMNIST is a small set that is easy to learn, found as the real one is."""
    first, second, third = BLOCKS
    paste(first, console)
    assert "[0.31]" in capsys.readouterr().out
    for needed in ("nengo_dl", "numba"):
        pytest.importorskip(needed)
    write_class_rows(tmp_path / "fashion-mnist", 512, 60, thick=1, noise=60)
    monkeypatch.setenv("NENGO_PHASOR_DATA", str(tmp_path))
    paste(second, console)
    said = re.findall(r"(None|\w+\(.*\)): ([\d.]+)% right, (\d+) hidden", capsys.readouterr().out)
    (dense, accuracy, n_dense), (arc, _, n_arc) = said
    assert (dense, arc) == ("None", "ArcSparsifier(arc=0.05, frequency=10)")
    assert float(accuracy) > 20  # ten classes
    assert 0 < int(n_arc) < int(n_dense) <= 8 * 128
    paste(third, console)
    assert re.search(r"[\d.]+% right", capsys.readouterr().out)


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)", README)
    assert len(targets) > 15
    for target in targets:
        assert "://" in target or (ROOT / target).exists(), target


def test_front_page_shows_a_picture_and_says_what_misses():
    assert len(re.findall(r"!\[[^]]+\]\(docs/figures/[^)]+\)", README)) == 1
    rows = re.findall(r"^\| .* \|$", README, flags=re.MULTILINE)
    header, _, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert header == ["measured", "value", "target", "paper", "holds"]
    assert len(rows) == 8
    for _, value, target, _, holds in rows:
        sign, bound = target.split()
        number = float(value.split()[0])
        met = number >= float(bound) if sign == ">=" else number <= float(bound)
        assert holds == ("yes" if met else "**no**")
