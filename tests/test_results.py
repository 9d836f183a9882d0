import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nengo_phasor import models, results

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "results").glob("*.json"))
KEYS = {"command", "date", "versions", "machine", "seeds", "settings", "figures", "claims"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_committed_results_have_all_that_is_asked_of_them(path):
    content = json.loads(path.read_text())
    assert set(content) == KEYS
    for claim in content["claims"]:
        assert set(claim) == {"name", "value", "unit", "bound", "paper"}
    program, name = re.match(r"(python|nengo-phasor run) (\S+)", content["command"]).groups()
    known = (ROOT / name).exists() if program == "python" else name in models.MODELS
    assert known, "made by a command that isn't committed"
    assert "/root" not in path.read_text()


def test_front_page_and_docs_quote_the_committed_results():
    check = [sys.executable, str(ROOT / "tools" / "render_results.py"), "--check"]
    assert subprocess.run(check).returncode == 0, "run tools/render_results.py"


@pytest.mark.parametrize(
    ("value", "bound", "holds"),
    [(0.875, ">= 0.875", True), (0.8749, ">= 0.875", False), (1.2, "<= 1.0", False)],
)
def test_claims(value, bound, holds):
    claim = results.Claim("accuracy", value, "points", bound)
    assert claim.holds is holds
    word = "holds" if holds else "FAILS"
    assert claim.verdict == f"{word}  accuracy: {value:.4f} points {bound}"


def test_a_failing_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "some" / "file.json"
    results.write(path, {"a": 1})
    with pytest.raises(TypeError):
        results.write(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_report_says_how_it_was_made(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["networks/x.py", "--seeds", "0, 1"])
    content = results.report({"n": 1}, [0, 1], {"y": 2}, [results.Claim("c", 1.0, "", ">= 0")])
    assert set(content) == KEYS
    assert content["command"] == "python networks/x.py --seeds '0, 1'"
    assert content["versions"]["nengo-phasor"]
    assert content["claims"][0]["name"] == "c"
