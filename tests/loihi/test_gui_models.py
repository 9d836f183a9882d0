"""What `nengo networks/X.py -b nengo_loihi` does, without the browser."""

import nengo
import numpy as np
import pytest

from nengo_phasor import models

nengo_loihi = pytest.importorskip("nengo_loihi")

NEEDS_KERAS = ("adaptive_iris", "adaptive_sonar")


@pytest.mark.parametrize("name", ["local_rhythms", "phase_sparsity", *NEEDS_KERAS])
def test_the_same_class_is_shown_on_the_emulator(name):
    if name in NEEDS_KERAS:
        pytest.importorskip("nengo_dl")
    shown = []
    for simulator in (nengo.Simulator, nengo_loihi.Simulator):
        model = models.load(name)
        with simulator(model, progress_bar=False) as sim:
            sim.run(0.45)
        shown.append(int(np.argmax(model.decision.output.values)))
        assert model.decision.output.values.any()
    assert sim.model.blocks
    assert shown[0] == shown[1]
