import pytest

from tests.models.images import write_class_rows


@pytest.fixture(scope="session")
def garments(tmp_path_factory):
    """A small data set in FashionMNIST's place."""
    folder = tmp_path_factory.mktemp("data")
    write_class_rows(folder / "fashion-mnist", 512, 60, thick=1, noise=60)
    return folder
