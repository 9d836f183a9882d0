"""Copies of the models' files, and their way into Nengo GUI."""

import importlib
import importlib.metadata
import re
import shutil
import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import pytest

from nengo_phasor.cli import console
from nengo_phasor.cli import gui as cli_gui
from tests.cli.common import invoke

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["checkout", "wheel"])
def installation(request, tmp_path, monkeypatch):
    """Here nothing, and the repository's files in a checkout or where a wheel puts them."""
    prefix = tmp_path / "prefix"
    share = prefix / "share" / "nengo-phasor"
    for name in console.SHARED:
        shutil.copytree(ROOT / name, (prefix if request.param == "checkout" else share) / name)
    if request.param == "checkout":
        (prefix / "setup.cfg").touch()
    files = [importlib.metadata.PackagePath(p.relative_to(prefix)) for p in share.rglob("*")]
    for file in files:
        file.dist = SimpleNamespace(locate_file=lambda path: prefix / path)
    monkeypatch.setattr(importlib.metadata, "files", lambda name: files)
    for module in (console, cli_gui):
        monkeypatch.setattr(module, "CHECKOUT", prefix)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return prefix


def test_copy_gives_doors_with_layouts_and_notebooks(installation):
    assert invoke("copy", "mine").exit_code == 0
    for name in ("networks", "notebooks", "results"):
        copied = {path.name: path.read_bytes() for path in Path("mine", name).iterdir()}
        assert copied == {p.name: p.read_bytes() for p in (ROOT / name).iterdir() if p.is_file()}
    again = invoke("copy", "mine")
    assert again.exit_code == 1
    assert "mine/networks already exists: choose another FOLDER" in again.output


def test_gui_opens_the_nearest_door(installation, monkeypatch):
    pytest.importorskip("nengo_gui")
    ran = []
    monkeypatch.setattr(sys, "argv", [])
    main = importlib.import_module("nengo_gui.main")
    monkeypatch.setattr(main, "main", lambda: ran.append(sys.argv) or sys.exit(7))
    assert invoke("gui", "on_chip", "--port", "80", "-b", "nengo_loihi").exit_code == 7
    opened = Path(ran[-1][-5])
    assert ran[-1][-4:] == ["--port", "80", "-b", "nengo_loihi"]
    assert opened.read_bytes() == (ROOT / "networks" / "on_chip.py").read_bytes()
    assert opened.with_name("on_chip.py.cfg").exists(), "with its layout"
    assert opened.is_relative_to(installation) == (installation / "setup.cfg").exists()
    opened.with_name("on_chip.py.cfg").write_text("# mine")
    invoke("gui", "on_chip")
    assert opened.with_name("on_chip.py.cfg").read_text() == "# mine", "kept"
    Path("networks").mkdir()
    Path("networks", "on_chip.py").touch()
    invoke("gui", "on_chip")
    assert ran[-1][-1] == "networks/on_chip.py"


@pytest.mark.parametrize("arguments", [(), ("--no-browser",), ("--browser", "lynx")])
@pytest.mark.parametrize("found", [True, False])
def test_gui_without_a_browser_prints_the_address(monkeypatch, found, arguments):
    """Nengo GUI would end with a traceback."""
    main = pytest.importorskip("nengo_gui.main")

    def get(using=None):
        if not found:
            raise webbrowser.Error("could not locate runnable browser")

    ran = []
    monkeypatch.setattr(webbrowser, "get", get)
    monkeypatch.setattr(main, "main", lambda: ran.extend(sys.argv))
    monkeypatch.setattr(sys, "argv", [])
    shown = invoke("gui", "on_chip", *arguments)
    notices = not found and not arguments
    assert ran == ["nengo", *["--no-browser"] * notices, ran[-1 - len(arguments)], *arguments]
    assert ("Open the address below" in shown.output) == notices


def test_gui_says_what_has_nothing_to_show():
    shown = invoke("gui", "adaptive_resnet")
    assert shown.exit_code == 2
    assert "'adaptive_resnet' is not one of adaptive_cifar," in shown.output


def test_gui_without_its_extra_says_so_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "nengo_gui", None)
    monkeypatch.delitem(sys.modules, "nengo_gui.main", raising=False)
    shown = invoke("gui", "on_chip")
    assert shown.exit_code == 2
    assert re.fullmatch(r'Error: nengo_gui is not .*"nengo-phasor\[gui\]"\n', shown.output)
