import nengo
import pytest

nengo.rc.set("progress", "progress_bar", "False")  # examples on a busy machine would show one


@pytest.fixture(autouse=True)
def nengo_precision():
    """Give Nengo its precision back: NengoDL doesn't when building one of its simulators fails."""
    bits = nengo.rc.get("precision", "bits")
    yield
    nengo.rc.set("precision", "bits", bits)


LONG = {"gui", "notebooks", "networks"}
"""Folders whose files take minutes."""


def pytest_collection_modifyitems(items):
    """Begin with what is long: a process that is left with it alone keeps the others waiting."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)
