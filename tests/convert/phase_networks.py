"""Networks of the phase domain, and their phases by the definition."""

import nengo
import numpy as np
from nengo.processes import PresentInput

from nengo_phasor import Phasor, layerwise, phases
from nengo_phasor.networks import PhasorDense, RandomProjection, real_weights

N_IN, N_1, N_2, N_3 = 6, 8, 7, 5
PIXELS = 9


def phasor_ensemble(n, **kwargs):
    return nengo.Ensemble(2 * n, 1, neuron_type=Phasor(), **kwargs)


def connect(pre, post, weights=None, **kwargs):
    """Connect phasors through real weights, (n_pre, n_post)."""
    transform = None if weights is None else real_weights(*np.shape(weights), weights)
    return nengo.Connection(pre, post, **{"transform": transform, "synapse": None, **kwargs})


def parameters():
    """Weights small beside the biases, so that phases bunch and small errors stay small."""
    rng = np.random.RandomState(0)
    sizes = {"1": (N_IN, N_1), "2": (N_1, N_2), "3": (N_2, N_3), "skip": (N_IN, N_3)}
    sizes["branch"] = (N_1, N_3)
    w = {k: rng.normal(0, 0.5 * n_pre**-0.5, (n_pre, n)) for k, (n_pre, n) in sizes.items()}
    b = {
        "1": np.ones(N_1) + 0j,
        "2": np.exp(0.5j * rng.normal(size=N_2)),
        "3": -2.5 * np.ones(N_3) + 0j,
    }
    return w, b


IMAGE = np.random.RandomState(7).rand(PIXELS)
SOURCES = {
    "array": lambda rows: nengo.Node(rows),
    "function of time": lambda rows: nengo.Node(lambda t: rows),
    "process": lambda rows: nengo.Node(PresentInput(rows.reshape(1, 2, -1), 10)),
}


def phase_network(source):
    """Three layers with a skip connection, a branch, a relay, biases of both kinds, subnetworks."""
    w, b = parameters()
    with nengo.Network(label="whole", seed=1) as net:
        if source == "projection":
            net.projection = RandomProjection(PIXELS, N_IN, spread=0.5)
            connect(nengo.Node(IMAGE, label="image"), net.projection.input)
            net.input, net.phases = net.projection.output, net.projection.encode(IMAGE)
        else:
            net.phases = np.random.RandomState(2).uniform(-1, 1, N_IN)
            net.input = SOURCES[source](phases.to_rows(net.phases))
        net.first = PhasorDense(N_IN, N_1, w["1"], b["1"].real, label="first")
        connect(net.input, net.first.input)
        with nengo.Network(label="inner") as net.inner:
            net.second = phasor_ensemble(N_2, label="second", gain=np.ones(2 * N_2))
            net.second.bias = np.concatenate([b["2"].real, b["2"].imag])
            with nengo.Network(label="innermost"):
                net.relay = nengo.Node(size_in=2 * N_2, label="relay")
        connect(net.first.output, net.second.neurons, w["2"])
        connect(net.second.neurons, net.relay)
        net.third = phasor_ensemble(N_3, label="third")
        net.minus = nengo.Node([-1.0, 0.0], label="minus")
        nengo.Connection(
            net.relay, net.third.neurons, transform=np.kron(np.eye(2), w["3"].T), synapse=None
        )
        connect(net.input, net.third.neurons, w["skip"])
        connect(net.first.output, net.third.neurons, w["branch"])
        connect(net.minus, net.third.neurons, np.full((1, N_3), 2.5))
        net.layer_probes = [
            nengo.Probe(x) for x in (net.first.output, net.second.neurons, net.third.neurons)
        ]
        net.input_probe = nengo.Probe(net.input)
    return net


class Layer:
    """A layer's phases, and how late its spikes can be, in phase: between low and high."""

    def __init__(self, u, low, high):
        self.u, self.low, self.high = (
            u,
            np.broadcast_to(low, u.shape),
            np.broadcast_to(high, u.shape),
        )

    @classmethod
    def encoded(cls, u, step):
        """Spikes count at the end of the step that contains them."""
        return cls(np.asarray(u), 0.0, step)

    @classmethod
    def of(cls, inputs, step, decay):
        """The layer behind (weights, layer) pairs, to first order in delays and decay.

        The phase of sum_j w_j u_j changes by sum_j w_j cos(d_j) delay_j / |z|, d_j being input j's
        distance from it; and by at most sum_j |w_j sin(d_j)| decay / |z| if each input counts
        between 1 - decay and 1 + decay. Then the crossing is found at the end of a step.
        """
        z = sum(w.T @ x.u for w, x in inputs)
        low, high = 0.0, step
        for w, x in inputs:
            part = w * x.u[:, None] * np.conj(z) / np.abs(z) ** 2
            delays = np.sort([part.real * x.low[:, None], part.real * x.high[:, None]], axis=0)
            low = low + delays[0].sum(axis=0) - np.abs(part.imag).sum(axis=0) * decay / np.pi
            high = high + delays[1].sum(axis=0) + np.abs(part.imag).sum(axis=0) * decay / np.pi
        return cls(z / np.abs(z), low, high)


def expected_layers(phase, step, decay):
    """Phases of the three layers by the definition, and their bounds."""
    w, b = parameters()
    x = Layer.encoded(np.exp(1j * np.pi * phase), step)
    biases = {k: (np.diag(np.abs(v)), Layer.encoded(v / np.abs(v), step)) for k, v in b.items()}
    first = Layer.of([(w["1"], x), biases["1"]], step, decay)
    second = Layer.of([(w["2"], first), biases["2"]], step, decay)
    last = [(w["3"], second), (w["skip"], x), (w["branch"], first), biases["3"]]
    return first, second, Layer.of(last, step, decay)


def decoded(spikes, probe, frequency, dt, n_cycles):
    with layerwise.Simulator(spikes, dt, minibatch_size=None) as sim:
        sim.run_steps(int(np.ceil(n_cycles / frequency / dt)) + 1)
    return phases.from_raster(sim.data[probe], frequency, dt, 1, (n_cycles - 1) / frequency)[0]
