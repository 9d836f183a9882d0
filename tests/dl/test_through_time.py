"""Backpropagation through time: NengoDL's against loops, one step and one formula at a time."""

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose

from nengo_phasor import (
    AdaptiveSpiking,
    BalancedResonateAndFire,
    ResonateAndFire,
    SurrogateLIF,
    surrogates,
)

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")


class Loop:
    """A layer of neurons: its spikes, and the gradient by its currents of a loss's by its output.

    ``forward`` comes first: ``backward`` uses what it saw.
    """

    def __init__(self, neuron, dt):
        self.neuron, self.dt, self.height = neuron, dt, neuron.amplitude / dt
        self.setup()

    def derivative(self, x):
        return self.neuron.surrogate.derivative(np, x)


class Resonating(Loop):
    def setup(self):
        neuron = self.neuron
        factor = np.exp((-1 / neuron.tau + 2j * np.pi * neuron.frequency) * self.dt)
        self.cos, self.sin = factor.real, factor.imag
        self.lean = np.tan(2 * np.pi * neuron.frequency * self.dt * 1e-4)

    def forward(self, J):
        voltage, current = np.zeros((2, len(J) + 1, J.shape[1]))
        for t in range(len(J)):
            voltage[t + 1] = self.cos * voltage[t] - self.sin * current[t] + J[t] * self.dt
            current[t + 1] = self.sin * voltage[t] + self.cos * current[t]
        threshold, V, C = self.neuron.threshold, voltage[1:], current[1:]
        size = np.abs(V) + threshold
        self.distance = (V * np.abs(V) + C**2 - threshold**2) / size
        self.by_V = (2 * np.abs(V) - np.sign(V) * self.distance) / size
        self.by_C = 2 * C / size
        self.angle = current + self.lean * voltage
        self.steps = self.distance >= 0, self.angle[1:] >= 0, self.angle[:-1] < 0
        return np.prod(self.steps, axis=0) * self.height

    def backward(self, d_output):
        high, up, was_down = self.steps
        d_output = d_output * self.height
        by_peak = d_output * up * was_down * self.derivative(self.distance)
        by_current = d_output * high * was_down * self.derivative(self.angle[1:])
        by_earlier = -d_output * high * up * self.derivative(self.angle[:-1])
        d_J, dV, dI = np.zeros_like(d_output), 0.0, 0.0
        for t in reversed(range(len(d_output))):
            dV = dV + by_peak[t] * self.by_V[t] + self.lean * by_current[t]
            dI = dI + by_peak[t] * self.by_C[t] + by_current[t]
            d_J[t] = dV * self.dt
            dV, dI = self.cos * dV + self.sin * dI, -self.sin * dV + self.cos * dI
            dV, dI = dV + self.lean * by_earlier[t], dI + by_earlier[t]
        return d_J


class Integrating(Loop):
    """The way through the reset carries no gradient, but a voltage set to zero forgets its past."""

    def setup(self):
        tau = self.neuron.tau_rc
        self.keep = 1.0 if tau is None else np.exp(-self.dt / tau)
        self.take = self.dt if tau is None else 1 - self.keep

    def forward(self, J):
        voltage, self.over = np.zeros(J.shape[1]), np.empty_like(J)
        for t in range(len(J)):
            voltage = self.keep * voltage + self.take * J[t]
            self.over[t] = voltage - 1
            lost = 1 if self.neuron.reset == "subtract" else voltage
            voltage = voltage - lost * (self.over[t] >= 0)
        return (self.over >= 0) * self.height

    def backward(self, d_output):
        d_J, dV = np.zeros_like(d_output), 0.0
        for t in reversed(range(len(d_output))):
            forgets = (self.over[t] >= 0) * (self.neuron.reset == "zero")
            dV = (1 - forgets) * dV
            dV = dV + d_output[t] * self.height * self.derivative(self.over[t])
            d_J[t] = self.take * dV
            dV = self.keep * dV
        return d_J


class Adapting(Loop):
    """The gradient goes through the refractory response and the threshold's jumps, too."""

    def setup(self):
        n = self.neuron
        times = n.tau_phi, n.tau_eta, n.tau_gamma
        self.phi, self.eta, self.gamma = (np.exp(-self.dt / tau) for tau in times)

    def forward(self, J):
        S, refraction, adaptation = np.zeros((3, J.shape[1]))
        self.theta, self.x = np.empty_like(J), np.empty_like(J)
        for t in range(len(J)):
            S = self.phi * S + (1 - self.phi) * J[t]
            refraction = self.eta * refraction
            self.theta[t] = self.neuron.theta_0 + adaptation
            self.x[t] = S - refraction - self.theta[t] / 2
            jump = (self.x[t] > 0) * self.theta[t]
            refraction = refraction + jump
            adaptation = self.gamma * (adaptation + self.neuron.m_f * jump)
        return (self.x > 0) * self.height

    def backward(self, d_output):
        d_J, dS, dR, dA = np.zeros_like(d_output), 0.0, 0.0, 0.0
        for t in reversed(range(len(d_output))):
            d_jump = dR + self.gamma * self.neuron.m_f * dA
            d_spike = d_output[t] * self.height + d_jump * self.theta[t]
            d_x = d_spike * self.derivative(self.x[t])
            d_theta = d_jump * (self.x[t] > 0) - d_x / 2
            dS, dR, dA = dS + d_x, self.eta * (dR - d_x), self.gamma * dA + d_theta
            d_J[t] = (1 - self.phi) * dS
            dS = self.phi * dS
        return d_J


class Balancing(Loop):
    """The gradient goes through the refraction, which damps and raises the threshold, too."""

    def setup(self):
        n = self.neuron
        self.turn = 2 * np.pi * n.frequency * self.dt
        self.growth = np.sqrt(1 - self.turn**2) - 1 - n.damping * self.dt
        self.damping = n.reset_damping * self.dt
        self.fades = np.exp(-self.dt / n.tau_refractory)

    def forward(self, J):
        u, v, q = np.zeros((3, len(J) + 1, J.shape[1]))
        self.x = np.empty_like(J)
        for t in range(len(J)):
            keep = 1 + self.growth - self.damping * q[t]
            u[t + 1] = keep * u[t] - self.turn * v[t] + J[t] * self.dt
            v[t + 1] = self.turn * u[t] + keep * v[t]
            self.x[t] = u[t + 1] - self.neuron.threshold - q[t]
            q[t + 1] = self.fades * q[t] + (self.x[t] >= 0)
        self.states = u, v, q
        return (self.x >= 0) * self.height

    def backward(self, d_output):
        (u, v, q), d_J = self.states, np.zeros_like(d_output)
        du, dv, dq = 0.0, 0.0, 0.0
        for t in reversed(range(len(d_output))):
            d_x = (d_output[t] * self.height + dq) * self.derivative(self.x[t])
            du = du + d_x
            d_J[t] = du * self.dt
            keep = 1 + self.growth - self.damping * q[t]
            d_keep = du * u[t] + dv * v[t]
            du, dv = keep * du + self.turn * dv, -self.turn * du + keep * dv
            dq = self.fades * dq - d_x - self.damping * d_keep
        return d_J


RHYTHM = {"frequency": 50, "tau": 0.05, "threshold": 0.3}
LEAKY = {"tau_rc": 0.02, "amplitude": 0.02}

# Two equal layers in parallel that differ in their surrogates, and a third behind the first.
LAYERS = {
    Resonating: (
        ResonateAndFire(**RHYTHM, surrogate=surrogates.PiecewiseLinear(0.8)),
        ResonateAndFire(**RHYTHM, surrogate=surrogates.FastSigmoid(0.5)),
        ResonateAndFire(40, 0.1, 0.2, 0.7, surrogate=surrogates.Arctangent(1.5)),
    ),
    Balancing: (
        BalancedResonateAndFire(20, 3.0, 0.5),
        BalancedResonateAndFire(20, 3.0, 0.5, surrogate=surrogates.FastSigmoid(0.5)),
        BalancedResonateAndFire(30, 8.0, 0.3, 20.0, 0.02, 0.7),
    ),
    Integrating: (
        SurrogateLIF(**LEAKY, surrogate=surrogates.FastSigmoid(0.5)),
        SurrogateLIF(**LEAKY, surrogate=surrogates.Exponential(0.7), reset="zero"),
        SurrogateLIF(None, amplitude=0.8, surrogate=surrogates.Arctangent(1.5)),
    ),
    Adapting: (
        AdaptiveSpiking(surrogate=surrogates.FastSigmoid(0.5)),
        AdaptiveSpiking(surrogate=surrogates.Exponential(0.3)),
        AdaptiveSpiking(0.2, 0.1, 0.03, 0.02, 0.004, surrogate=surrogates.Arctangent(0.8)),
    ),
}


# Of the inputs, and of the third layer's weights: such that neurons spike, but not always.
SCALES = {Resonating: (1, 1), Balancing: (1, 1), Integrating: (0.05, 200), Adapting: (0.005, 1)}


@pytest.mark.parametrize("loop", LAYERS, ids=lambda loop: loop.__name__)
def test_gradients_through_time(loop):
    """One step of gradient descent in NengoDL on sum_t g_t y_t, against the loops."""
    dt, n_steps, rng = 0.002, 60, np.random.RandomState(3)
    kinds = LAYERS[loop]
    scale, scale_third = SCALES[loop]
    x = scale * (rng.rand(2, n_steps, 5) < 0.15) / dt
    w = [
        rng.normal(0, 0.6, (4, 5)),
        rng.normal(0, 0.6, (4, 5)),
        scale_third * rng.normal(0, 0.6, (3, 4)),
    ]
    g = [rng.normal(size=(2, n_steps, n)) for n in (4, 4, 3)]
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64", keep_history=True, stateful=False)
        node = nengo.Node(np.zeros(5))
        layers = [
            nengo.Ensemble(
                len(a), 1, neuron_type=kind, gain=np.ones(len(a)), bias=np.zeros(len(a))
            ).neurons
            for a, kind in zip(w, kinds, strict=True)
        ]
        pres = node, node, layers[0]
        connections = [
            nengo.Connection(pre, post, transform=a, synapse=None)
            for pre, post, a in zip(pres, layers, w, strict=True)
        ]
        probes = [nengo.Probe(layer) for layer in layers]

    d_w, loss = [np.zeros_like(a) for a in w], 0.0
    for item in range(2):
        loops = [loop(kind, dt) for kind in kinds]
        y = [loops[0].forward(x[item] @ w[0].T), loops[1].forward(x[item] @ w[1].T)]
        y.append(loops[2].forward(y[0] @ w[2].T))
        assert all(5 < np.count_nonzero(a) < a.size / 2 for a in y)
        loss += sum(np.sum(a * b[item]) for a, b in zip(y, g, strict=True)) / 2
        d_J = loops[2].backward(g[2][item])
        d_w[2] += d_J.T @ y[0] / 2
        d_w[1] += loops[1].backward(g[1][item]).T @ x[item] / 2
        d_w[0] += loops[0].backward(g[0][item] + d_J @ w[2]).T @ x[item] / 2

    def product(y_true, y_pred):
        return tf.reduce_sum(y_true * y_pred, axis=(1, 2))

    with nengo_dl.Simulator(net, dt=dt, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(tf.keras.optimizers.SGD(1.0), loss=dict.fromkeys(probes, product))
        history = sim.fit({node: x}, dict(zip(probes, g, strict=True)), epochs=1, verbose=0)
        trained = [sim.data[connection].weights for connection in connections]
    assert history.history["loss"][0] == pytest.approx(loss)
    for new, old, gradient in zip(trained, w, d_w, strict=True):
        assert np.count_nonzero(gradient) > 0.7 * gradient.size
        assert_allclose(old - new, gradient, rtol=1e-7, atol=1e-9 * np.abs(gradient).max())
