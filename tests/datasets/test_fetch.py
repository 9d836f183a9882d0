"""tools/fetch_fashion_mnist.py, with stand-ins for apt-get and dpkg-deb."""

import importlib.util
from pathlib import Path

import pytest

from nengo_phasor import datasets
from tests.datasets.written import IDX_NAMES, write_idx

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool():
    path = ROOT / "tools" / "fetch_fashion_mnist.py"
    spec = importlib.util.spec_from_file_location("fetch_fashion_mnist", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """Stand-ins for apt-get and dpkg-deb; the log of their calls and the package's files."""
    package = tmp_path / "package"
    write_idx(package)
    commands, log = tmp_path / "bin", tmp_path / "log"
    commands.mkdir()
    scripts = {
        "apt-get": '[ -z "$BROKEN" ] || { echo "E: no such package" >&2; exit 100; }\n'
        "touch dataset-fashion-mnist_1_all.deb",
        "dpkg-deb": 'target="$3/usr/share/datasets/fashion-mnist"\n'
        f'/bin/mkdir -p "$target" && /bin/cp {package}/* "$target"',
    }
    for name, body in scripts.items():
        (commands / name).write_text(
            f'#!/bin/sh\nPATH=/bin:/usr/bin\necho {name} "$@" >> {log}\n{body}\n'
        )
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    log.touch()
    return log, package


def test_fetch(tool, debian, tmp_path, capsys):
    log, package = debian
    assert tool.main(str(tmp_path / "data")) == 0
    files_there = sorted(path.name for path in (tmp_path / "data" / "fashion-mnist").iterdir())
    assert files_there == sorted(path.name for path in package.iterdir())
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["fashion-mnist"]
    calls = log.read_text()
    assert "apt-get -q download dataset-fashion-mnist" in calls

    assert tool.main(str(tmp_path / "data")) == 0  # the second time: nothing to do
    assert log.read_text() == calls
    assert str(tmp_path / "data" / "fashion-mnist") in capsys.readouterr().out


def test_fetch_uses_the_installed_package(tool, debian, tmp_path):
    write_idx(tmp_path / "debian" / "fashion-mnist")
    assert tool.main(str(tmp_path / "data")) == 0
    assert debian[0].read_text() == ""
    assert not (tmp_path / "data").exists()


def test_fetch_replaces_damaged_files(tool, debian, tmp_path, capsys):
    target = tmp_path / "data" / "fashion-mnist"
    write_idx(target)
    (target / IDX_NAMES[0]).write_bytes(b"")
    assert tool.main(str(tmp_path / "data")) == 0
    assert IDX_NAMES[0] in capsys.readouterr().out
    assert (target / IDX_NAMES[0]).read_bytes() == (debian[1] / IDX_NAMES[0]).read_bytes()


def test_fetch_leaves_nothing_half_done(tool, debian, tmp_path, capsys):
    (debian[1] / IDX_NAMES[2]).unlink()
    assert tool.main(str(tmp_path / "data")) == 1
    assert not list((tmp_path / "data").iterdir())
    assert f"lacks {IDX_NAMES[2]}" in capsys.readouterr().out


def test_fetch_without_package_lists(tool, debian, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BROKEN", "yes")
    assert tool.main(str(tmp_path / "data")) == 1
    assert "-o Dir::State::lists=" in debian[0].read_text()
    printed = capsys.readouterr()
    assert "E: no such package" in printed.out
    assert datasets.VARIABLE in printed.err


def test_fetch_without_apt(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.main(str(tmp_path / "data")) == 1
    printed = capsys.readouterr()
    assert "apt-get and dpkg-deb not found" in printed.out
    assert "To get FashionMNIST" in printed.err

    write_idx(tmp_path / "keras" / "datasets" / "fashion-mnist")
    assert tool.main(str(tmp_path / "data")) == 0
