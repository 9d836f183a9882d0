import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from nengo_phasor import datasets
from nengo_phasor.models.shared.checkpoint import Checkpoint


class Variable:
    """What a checkpoint needs of a tf.Variable."""

    def __init__(self, value):
        self.value = np.array(value)

    @property
    def shape(self):
        return self.value.shape

    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = np.array(value)


@pytest.fixture
def variables():
    return [Variable(np.arange(6, dtype=np.float32).reshape(2, 3)), Variable(np.int64(2**53 + 1))]


def like(variables):
    return [Variable(np.zeros_like(variable.value)) for variable in variables]


def test_comes_back_to_the_last_bit(tmp_path, variables):
    history = [{"loss": 0.1 + 0.2, "layers": {"a": 1e-320}}, {"loss": float("inf")}]
    best = np.array([1, np.nextafter(1, 2)])
    Checkpoint(tmp_path, variables).save({"best": best}, epoch=2, history=history)
    again = like(variables)
    found = Checkpoint(tmp_path, again).restored(epoch=0, history=[])
    assert found["epoch"] == 2
    assert found["history"] == history
    np.testing.assert_array_equal(found["arrays"]["best"], best)
    for a, b in zip(again, variables, strict=True):
        np.testing.assert_array_equal(a.value, b.value)
        assert a.value.dtype == b.value.dtype


def test_without_a_checkpoint_training_starts(tmp_path, variables):
    checkpoint, before = Checkpoint(tmp_path, variables), variables[0].value
    assert not checkpoint.exists
    assert checkpoint.restored(epoch=0, history=[]) == {"epoch": 0, "history": [], "arrays": {}}
    assert variables[0].value is before


def truncate(path):
    path.write_bytes(path.read_bytes()[:-30])


DAMAGE = {
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_text("{}"),
    "nothing in it": lambda path: datasets.save_params(path),
    "no progress": lambda path: datasets.save_params(
        path, **{"variable 0": np.zeros((2, 3)), "variable 1": np.zeros(())}
    ),
    "progress that is none": lambda path: datasets.save_params(
        path,
        **{"variable 0": np.zeros((2, 3)), "variable 1": np.zeros(()), "progress": np.array("[]")},
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_is_named_with_the_way_out(tmp_path, variables, damage):
    checkpoint = Checkpoint(tmp_path, variables)
    checkpoint.save(epoch=1)
    DAMAGE[damage](checkpoint.file)
    before = [variable.value for variable in variables]
    with pytest.raises(datasets.DatasetError, match="delete it to train from the start") as caught:
        checkpoint.restored(epoch=0)
    assert str(checkpoint.file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(v.value is value for v, value in zip(variables, before, strict=True))


def test_a_wrong_byte_is_never_loaded(tmp_path, variables):
    """Wherever it is: either the file is refused, or what comes back is what was saved."""
    checkpoint = Checkpoint(tmp_path, variables)
    checkpoint.save(epoch=1)
    content, refused = checkpoint.file.read_bytes(), 0
    for k in range(len(content)):
        checkpoint.file.write_bytes(content[:k] + bytes([content[k] ^ 0xFF]) + content[k + 1 :])
        again = like(variables)
        try:
            found = Checkpoint(tmp_path, again).restored(epoch=0)
        except datasets.DatasetError:
            refused += 1
            continue
        assert found == {"epoch": 1, "arrays": {}}
        for a, b in zip(again, variables, strict=True):
            np.testing.assert_array_equal(a.value, b.value)
    assert refused > len(content) / 2


@pytest.mark.parametrize(
    ("others", "start"),
    [
        ([Variable(np.zeros((2, 3)))], {"epoch": 0}),
        ([Variable(np.zeros((2, 3))), Variable(0), Variable(0)], {"epoch": 0}),
        ([Variable(np.zeros((3, 2))), Variable(0)], {"epoch": 0}),
        ([Variable(np.zeros((2, 3))), Variable(0)], {"epoch": 0, "history": []}),
    ],
    ids=["fewer", "more", "another shape", "other progress"],
)
def test_checkpoint_of_another_training_is_refused(tmp_path, variables, others, start):
    Checkpoint(tmp_path, variables).save(epoch=1)
    before = [variable.value for variable in others]
    with pytest.raises(datasets.DatasetError, match="cannot continue from"):
        Checkpoint(tmp_path, others).restored(**start)
    assert all(v.value is value for v, value in zip(others, before, strict=True))


TRAIN = """
import sys
from pathlib import Path
import numpy as np
from nengo_phasor.models.shared.checkpoint import Checkpoint
from tests.models.shared.test_checkpoint import Variable
variable = Variable(np.zeros(1000))
checkpoint = Checkpoint(Path(sys.argv[1]), [variable])
epoch = checkpoint.restored(epoch=0)["epoch"]
while True:
    epoch += 1
    variable.assign(np.full(1000, epoch))
    checkpoint.save(epoch=epoch)
"""


def test_killed_at_any_moment_state_and_progress_are_of_one_epoch(tmp_path):
    """Five times kill -9, at moments that the seed chooses."""
    rng, last = np.random.default_rng(0), 0
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", TRAIN, str(tmp_path)])
        stamp = _changed(tmp_path)
        while _changed(tmp_path) == stamp:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        variable = Variable(np.zeros(1000))
        epoch = Checkpoint(tmp_path, [variable]).restored(epoch=0)["epoch"]
        assert epoch > last
        assert np.all(variable.value == epoch)
        last = epoch


def _changed(folder):
    path = folder / "checkpoint.npz"
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_keras_goes_on_as_if_it_had_not_been_stopped(tmp_path, optimizer):
    """Bit for bit, the optimiser's state included."""
    pytest.importorskip("nengo_dl")
    import tensorflow as tf

    options = {"Adam": {"use_ema": True, "ema_momentum": 0.5}, "SGD": {"momentum": 0.9}}
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)

    def training():
        tf.keras.utils.set_random_seed(1)
        model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
        model.compile(getattr(tf.keras.optimizers, optimizer)(0.1, **options[optimizer]), "mse")
        model.optimizer.build(model.trainable_variables)
        return model, Checkpoint(tmp_path, [*model.variables, *model.optimizer.variables])

    def fit(model, epochs):
        for _ in range(epochs):
            model.fit(x, x[:, :1] ** 2, shuffle=False, verbose=0)
        return model.get_weights()

    whole = fit(training()[0], 4)
    model, checkpoint = training()
    fit(model, 2)
    checkpoint.save(epoch=2)
    model, checkpoint = training()
    assert checkpoint.restored(epoch=0)["epoch"] == 2
    for a, b in zip(fit(model, 2), whole, strict=True):
        np.testing.assert_array_equal(a, b)
