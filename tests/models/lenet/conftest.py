import pytest

from tests.models.images import write_class_rows


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """A small data set in FashionMNIST's place."""
    folder = tmp_path_factory.mktemp("data")
    write_class_rows(folder, 200, 40, first=0)
    return folder
