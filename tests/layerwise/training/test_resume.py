"""Training that was killed goes on from its checkpoint to the same bits."""

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest

from tests.layerwise.training.common import compiled, data, small, values

TRAIN = """
import numpy as np
from nengo_phasor import SurrogateLIF, surrogates
from nengo_phasor.models.shared.checkpoint import Checkpoint
from tests.layerwise.training.common import compiled, data, small, values
net = small(SurrogateLIF(0.01, surrogate=surrogates.FastSigmoid()))
x, y = data(n_items=32, n_steps=20)
sim = compiled(net, "adam", dtype="float32", minibatch_size=8)
model = sim.keras_model
state = Checkpoint(folder, [*model.trainable_variables, *model.optimizer.variables])
for epoch in range(state.restored(epoch=0)["epoch"], 6):
    order = np.random.RandomState((7, epoch)).permutation(len(x))
    print(epoch, flush=True)
    sim.fit({net.x: x[order]}, {net.p: y[order]}, shuffle=False, verbose=0)
    state.save(epoch=epoch + 1)
sim.save_params(path)
"""


def train(folder, path):
    """Train in this process; return the epochs that were done."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(TRAIN, {"folder": folder, "path": path})
    return output.getvalue().split()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_training_resumes_to_the_same_bits(tmp_path):
    paths = f"folder, path = {str(tmp_path / 'killed')!r}, {str(tmp_path / 'nowhere')!r}\n"
    killed = subprocess.Popen(
        [sys.executable, "-c", paths + TRAIN], stdout=subprocess.PIPE, text=True
    )
    for line in killed.stdout:
        if line == "3\n":  # within an epoch that is then done again
            killed.send_signal(signal.SIGKILL)
            break
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert train(tmp_path / "killed", tmp_path / "found")[0] in ("3", "4")
    assert train(tmp_path / "whole", tmp_path / "expected") == list("012345")
    with np.load(tmp_path / "expected.npz") as expected, np.load(tmp_path / "found.npz") as found:
        for name in expected.files:
            assert np.array_equal(expected[name], found[name])


def test_parameters_and_optimizer_are_all_of_it(tmp_path):
    """Other than by a checkpoint: save_params and the optimiser's variables."""
    net = small()
    x, y = data(n_items=16)

    def fit(sim):
        sim.fit({net.x: x}, {net.p: y}, shuffle=False, verbose=0)

    sim = compiled(net, "adam")
    fit(sim)
    sim.save_params(tmp_path / "weights")
    optimizer = [variable.numpy() for variable in sim.keras_model.optimizer.variables]
    fit(sim)

    other = compiled(net, "adam")
    other.load_params(tmp_path / "weights")
    for variable, value in zip(other.keras_model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)
    fit(other)
    for a, b in zip(values(sim), values(other), strict=True):
        assert np.array_equal(a, b)
