"""What all these tests have in common: they see no data of this machine."""

import pytest

from nengo_phasor import datasets


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No data of this machine, and no download."""
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(datasets, "FETCHED", str(tmp_path / "fetched"))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(datasets, "_download", lambda name: "the network is down")
