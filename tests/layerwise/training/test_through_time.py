"""Neurons with a state against plain backpropagation through time, in random networks."""

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import cont2discrete, tf2ss

from nengo_phasor import (
    AdaptiveSpiking,
    AttendingResonator,
    BalancedResonateAndFire,
    BindingResonator,
    ResonateAndFire,
    SurrogateLIF,
    dynamics,
    layerwise,
    surrogates,
)
from tests.layerwise.training.common import compiled, gradients, of_packages, tf
from tests.layerwise.training.tape import Var, step_function, value_of
from tests.layerwise.training.tape import gradients as gradients_of
from tests.registry import NEURONS, N, inputs, name

DT = 0.001
N_ITEMS, N_STEPS = 2, 128  # powers of 2: Keras takes the mean over items and steps in float32


def resonate_and_fire(neurons, c):
    heaviside = step_function(neurons.surrogate)
    return lambda J, *states: dynamics.resonate_and_fire(J, *states, c, heaviside)


def leaky_spike(neurons, c):
    ways = step_function(neurons.surrogate), step_function()
    return lambda J, *states: dynamics.leaky_spike(J, *states, c, *ways)


def adaptive_spike(neurons, c):
    above = step_function(neurons.surrogate, np.greater)
    return lambda J, *states: dynamics.adaptive_spike(J, *states, c, above)


def balanced_resonate_and_fire(neurons, c):
    heaviside = step_function(neurons.surrogate)
    return lambda J, *states: dynamics.balanced_resonate_and_fire(J, *states, c, heaviside)


STEPS = {
    ResonateAndFire: resonate_and_fire,
    BalancedResonateAndFire: balanced_resonate_and_fire,
    SurrogateLIF: leaky_spike,
    AdaptiveSpiking: adaptive_spike,
}


def with_surrogate(neurons):
    """The neurons, with a surrogate if they have none."""
    if neurons.surrogate is not None:
        return neurons
    arguments = {parameter.name: getattr(neurons, parameter.name) for parameter in neurons._params}
    return type(neurons)(**{**arguments, "surrogate": surrogates.FastSigmoid(0.7)})


SPIKING = [
    with_surrogate(neurons)
    for neurons in NEURONS
    if type(neurons) in STEPS and not getattr(neurons, "is_mixed", False)
]
"""Banks, which fit ensembles of one size, are tested with their parameters."""

FIRST_SEED = 80
"""From here on, every layer of the random networks spikes, so that each weight has a gradient."""

FILTERS = (
    None,
    nengo.Lowpass(0.004),
    nengo.Alpha(0.003),
    nengo.LinearFilter([0.001, 1], [2e-5, 0.006, 1]),
    nengo.LinearFilter([0.002, 1], [0.004, 1]),  # passes some on at once: D is not 0
)


def test_types():
    """Those that have a state and train are all here: all that spike but those that bind."""
    trained = of_packages(t for t, row in layerwise.rows.TABLE.items() if row.back)
    assert {type(n) for n in SPIKING} == trained == set(STEPS)
    assert {type(n) for n in NEURONS if n.spiking} - set(STEPS) == {
        AttendingResonator,
        BindingResonator,
    }


class Random:
    """A network of three layers of neurons with random weights, filters and, or not, loops."""

    def __init__(self, neurons, seed, loops):
        rng = np.random.RandomState(seed)
        self.data = np.stack([inputs(neurons, N_STEPS, seed=seed + k) for k in range(N_ITEMS)])
        scale = self.data.std()
        spikes = 2 * scale * DT / neurons.amplitude
        pairs = [(0, 1), (1, 2), (0, 2)] + loops * [(1, 0), (2, 2), (2, 0), (1, 1)]
        with nengo.Network(seed=seed) as self.net:
            self.net.x = nengo.Node(np.zeros(N))
            self.layers = [
                nengo.Ensemble(
                    n,
                    1,
                    neuron_type=neurons,
                    gain=rng.uniform(0.5, 1.5, n),
                    bias=rng.normal(0, 0.2 * scale, n),
                )
                for n in (N, 4, 3)
            ]
            for pre, post, synapse in [
                (self.net.x, 0, None),
                *(
                    (pre, post, FILTERS[rng.randint(pre >= post, len(FILTERS) - (pre >= post))])
                    for pre, post in pairs
                ),
            ]:
                size, source = (N, pre) if pre is self.net.x else (0, self.layers[pre].neurons)
                target = self.layers[post].neurons
                shape = target.size_in, size or source.size_out
                weights = rng.normal(0.3, 1, shape) * (0.7 if size else spikes)
                nengo.Connection(source, target, transform=weights, synapse=synapse)
            self.probes = [
                nengo.Probe(self.layers[2].neurons),
                nengo.Probe(self.layers[1].neurons, synapse=nengo.Lowpass(0.005)),
            ]

    def reference(self, sim, by_probes):
        """What the probes see, and the gradients of the sum of products with ``by_probes``."""
        weights = {c: Var(c.transform.init.T) for c in self.net.connections}
        biases = {e: Var(e.bias) for e in self.layers}
        gains = {e: e.gain for e in self.layers}
        items = len(self.data)
        states = {
            e: [Var(np.tile(s, (items, 1))) for s in sim.parts.layers[e].initial]
            for e in self.layers
        }
        filters = {
            obj: Delayed(obj.synapse, items, size)
            for obj, size in [
                *((c, c.size_out) for c in self.net.connections),
                *((p, p.size_in) for p in self.probes),
            ]
            if obj.synapse is not None
        }
        steps = {
            e: STEPS[type(e.neuron_type)](e.neuron_type, e.neuron_type.constants(DT))
            for e in self.layers
        }
        seen, given = {p: [] for p in self.probes}, []
        for k in range(self.data.shape[1]):
            outputs = {self.net.x: Var(self.data[:, k])}
            for e in self.layers:
                J = biases[e]
                for c in self.net.connections:
                    if c.post_obj.ensemble is e:
                        late = filters.get(c)
                        J = J + gains[e] * (late.due if late else outputs[c.pre_obj] @ weights[c])
                outputs[e.neurons], *states[e] = steps[e](J, *states[e])
            for c in self.net.connections:
                if c in filters:
                    filters[c].update(outputs[c.pre_obj] @ weights[c])
            for p in self.probes:
                seen[p].append(filters[p].due if p in filters else outputs[p.target])
                if p in filters:
                    filters[p].update(outputs[p.target])
                given.append((seen[p][-1], by_probes[p][:, k]))
        wanted = {**{(c, "weights"): w for c, w in weights.items()}}
        wanted |= {(e, "bias"): b for e, b in biases.items()}
        found = gradients_of(*zip(*given, strict=True), list(wanted.values()))
        outputs = {p: np.stack([value_of(x) for x in xs], axis=1) for p, xs in seen.items()}
        return outputs, dict(zip(wanted, found, strict=True))


class Delayed:
    """A linear filter whose output comes a step later, as in Nengo: ``due`` is what is next."""

    def __init__(self, synapse, items, size):
        system = tf2ss(synapse.num, synapse.den)
        self.A, self.B, self.C, self.D, _ = cont2discrete(system, DT, "zoh")
        self.states = [Var(np.zeros((items, size))) for _ in self.A]
        self.due = Var(np.zeros((items, size)))

    def update(self, u):
        old = self.states
        self.states = [
            sum((a * x for a, x in zip(row, old, strict=True)), b * u)
            for row, b in zip(self.A, self.B.ravel(), strict=True)
        ]
        has_D = self.D.item() != 0
        terms = zip(self.C.ravel(), old if has_D else self.states, strict=True)
        self.due = sum((c * x for c, x in terms), self.D.item() * u)


def by_value(y_true, y_pred):
    """A loss whose gradient by what a probe sees is its target."""
    return tf.reduce_sum(y_true * y_pred, axis=-1)


@pytest.mark.parametrize("loops", [False, True], ids=["layers", "loops"])
@pytest.mark.parametrize("seed", range(len(SPIKING)), ids=map(name, SPIKING))
def test_gradients(seed, loops, monkeypatch):
    """Of all weights and biases, in double precision, whole or recomputed from checkpoints."""
    case = Random(SPIKING[seed], FIRST_SEED + seed, loops)
    rng = np.random.RandomState(seed)
    targets = {p: rng.normal(size=(N_ITEMS, N_STEPS, p.size_in)) for p in case.probes}
    x = {case.net.x: case.data}
    with compiled(case.net, dtype="float64", loss=dict.fromkeys(case.probes, by_value)) as sim:
        by_probes = {p: y / (N_ITEMS * N_STEPS) for p, y in targets.items()}
        outputs, expected = case.reference(sim, by_probes)
        seen = sim.predict(x)
        whole = gradients(sim, x, targets, monkeypatch)
        in_parts = gradients(sim, x, targets, monkeypatch, checkpoint=50)
    assert any(map(np.any, outputs.values())), "nothing happens: no test"
    for p in case.probes:
        assert_allclose(seen[p], outputs[p], rtol=1e-9, atol=1e-9 * outputs[p].max())
    assert set(whole) == set(expected)
    for key, by_parameter in expected.items():
        assert np.any(by_parameter)
        tolerance = {"rtol": 1e-9, "atol": 1e-9 * np.abs(by_parameter).max()}
        assert_allclose(whole[key], by_parameter, **tolerance, err_msg=str(key))
        assert_allclose(in_parts[key], by_parameter, **tolerance, err_msg=str(key))
