import json
import sys
from pathlib import Path

import click
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "networks"))
from nengo_phasor.models.shared.run_folder import open_run


@pytest.fixture
def run(tmp_path):
    """A run's folder, with weights and runs in spikes."""
    open_run(tmp_path / "run", {"a": (1, 2)}, resume=True)
    for name in ("weights.npz", "scores.json", "spiking/0.npz", "page.html"):
        file = tmp_path / "run" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    return tmp_path / "run"


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.glob("**/*") if path.is_file()}


def test_resumed_run_keeps_all(run):
    before = files(run)
    open_run(run, {"a": (1, 2)}, resume=True)
    assert files(run) == before


def test_run_with_other_settings_is_not_resumed(run):
    before = files(run)
    with pytest.raises(click.ClickException, match=r"settings\.json is of a run with other"):
        open_run(run, {"a": (1, 3)}, resume=True)
    assert files(run) == before


def test_new_run_begins_with_nothing(run):
    open_run(run, {"a": (1, 3)}, resume=False)
    assert files(run) == {"settings.json", "page.html"}
    assert json.loads((run / "settings.json").read_text()) == {"a": [1, 3]}


@pytest.mark.parametrize("resume", [True, False])
def test_folder_of_something_else_is_left_alone(tmp_path, resume):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "weights.npz").touch()
    with pytest.raises(click.ClickException, match="not of a run"):
        open_run(tmp_path, {"a": 1}, resume)
    assert files(tmp_path) == {"params/weights.npz"}
