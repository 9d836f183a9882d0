import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose

import nengo_phasor
from nengo_phasor import schedules

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_phasor.dl import callbacks, losses  # noqa: E402

SCHEDULE = schedules.AlternatingLinear(0.01, 6)


class Setup:
    """A layer of spiking neurons that is trained to be silent, from fixed weights."""

    def __init__(self):
        rng = np.random.RandomState(0)
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(stateful=False)
            self.node = nengo.Node(np.zeros(3))
            ensemble = nengo.Ensemble(
                4, 1, neuron_type=nengo_phasor.SurrogateLIF(), gain=np.ones(4), bias=np.zeros(4)
            )
            self.weights = nengo.Connection(
                self.node, ensemble.neurons, transform=rng.uniform(0, 3, (4, 3)), synapse=None
            )
            self.probe = nengo.Probe(ensemble.neurons)
        self.loss = losses.SpikeCount(self.probe)
        self.data = {self.node: np.repeat(rng.uniform(0, 3, (8, 1, 3)), 20, axis=1)}
        self.sim = nengo_dl.Simulator(net, minibatch_size=8, progress_bar=False)
        self.sim.compile(
            tf.keras.optimizers.SGD(1.0),
            loss=self.loss,
            metrics={self.probe: self.loss.spikes},
        )

    def fit(self, schedule, **kwargs):
        """Return Keras' history."""
        callback = callbacks.SparsitySchedule(schedule, self.loss)
        target = {self.probe: np.zeros((8, 1, 1))}
        return self.sim.fit(self.data, target, verbose=0, callbacks=[callback], **kwargs).history


def test_the_schedule_is_followed():
    """Where the weight is 0 nothing is learnt; else the loss is the weight times the spikes."""
    setup = Setup()
    with setup.sim:
        seen = setup.fit(SCHEDULE, epochs=6)
    (spikes,) = (series for name, series in seen.items() if name.endswith("spikes"))
    sigma = [SCHEDULE(epoch) for epoch in range(1, 7)]
    assert_allclose(seen["sigma"], sigma)
    assert_allclose(seen["loss"], np.multiply(sigma, spikes), rtol=1e-5)
    assert spikes[0] == spikes[1] == spikes[2] == spikes[3] > spikes[4] > spikes[5] > 0


def test_resumed_training_goes_on_in_the_schedule():
    """In one go, and epoch by epoch."""
    whole, parts = Setup(), Setup()
    with whole.sim, parts.sim:
        expected = whole.fit(SCHEDULE, epochs=6)
        got = [parts.fit(SCHEDULE, initial_epoch=k, epochs=k + 1) for k in range(6)]
        for name, series in expected.items():
            assert_allclose([history[name][0] for history in got], series, rtol=1e-6)
        assert_allclose(
            parts.sim.data[parts.weights].weights, whole.sim.data[whole.weights].weights, rtol=1e-6
        )


def test_more_epochs_than_the_schedule_has():
    setup = Setup()
    with setup.sim, pytest.raises(ValidationError, match="is 6, so there is no epoch 7"):
        setup.fit(SCHEDULE, epochs=7)


@pytest.mark.parametrize(
    ("schedule", "given", "message"),
    [
        (0.1, [losses.PhaseCosine()], "schedule: must be a schedule of .*, got 0.1"),
        (SCHEDULE, [losses.PhaseCosine()], "losses: must be losses with a weight `sigma`"),
        (SCHEDULE, [], "losses: must be losses with a weight `sigma`"),
    ],
)
def test_arguments_are_checked(schedule, given, message):
    with pytest.raises(ValidationError, match=message):
        callbacks.SparsitySchedule(schedule, *given)
