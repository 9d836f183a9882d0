import pytest

from nengo_phasor.models.shared.checkpoint import Checkpoint


@pytest.fixture
def killed(monkeypatch):
    """Return a function that calls another until so many batches are done and kept, no further."""

    def killed(n_batches, train):
        save = Checkpoint.save

        def save_and_die(checkpoint, *arrays, **progress):
            save(checkpoint, *arrays, **progress)
            if progress["done"] == n_batches:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "save", save_and_die)
            with pytest.raises(KeyboardInterrupt):
                train()

    return killed
