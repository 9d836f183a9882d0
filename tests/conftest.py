import nengo
import pytest


@pytest.fixture(autouse=True)
def nengo_precision():
    """Give Nengo its precision back: NengoDL doesn't when building one of its simulators fails."""
    bits = nengo.rc.get("precision", "bits")
    yield
    nengo.rc.set("precision", "bits", bits)
