"""Small networks that train in layerwise, and how the tests train them."""

import nengo
import numpy as np
import pytest

from nengo_phasor import layerwise

tf = pytest.importorskip("tensorflow")  # after nengo_phasor, which chooses Keras 2

N_ITEMS, N_STEPS, N_IN, N_HIDDEN, N_OUT = 8, 4, 2, 5, 3


def small(neuron_type=None, **kwargs):
    """A network of one hidden layer: its node x, ensemble e, connections a and b, and probe p."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(N_IN), label="eyes")
        net.e = nengo.Ensemble(
            N_HIDDEN,
            1,
            neuron_type=neuron_type or nengo.RectifiedLinear(),
            gain=np.ones(N_HIDDEN),
            bias=np.ones(N_HIDDEN),
            label="cells",
        )
        net.out = nengo.Node(size_in=N_OUT, label="hands")
        net.a = nengo.Connection(
            net.x, net.e.neurons, transform=rng.normal(size=(N_HIDDEN, N_IN)), synapse=None
        )
        net.b = nengo.Connection(
            net.e.neurons, net.out, transform=rng.normal(size=(N_OUT, N_HIDDEN)), synapse=None
        )
        net.p = nengo.Probe(net.out, label="seen", **kwargs)
        net.q = nengo.Probe(net.e.neurons, label="spikes")
    return net


def data(n_items=N_ITEMS, n_steps=N_STEPS, seed=0):
    """Inputs and targets of `small`."""
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n_items, n_steps, N_IN)), rng.normal(size=(n_items, n_steps, N_OUT))


def compiled(net, optimizer="sgd", dt=0.001, dtype=None, threads=None, minibatch_size=4, **kwargs):
    """A simulator that is ready to train: by default what its probe p sees, to its targets."""
    sim = layerwise.Simulator(
        net, dt, minibatch_size=minibatch_size, dtype=dtype, threads=threads, progress_bar=False
    )
    sim.compile(optimizer, **{"loss": {getattr(net, "p", None): "mse"}, **kwargs})
    return sim


def values(sim):
    """What trains, in the order of ``sim.parameters``."""
    return [variable.numpy() for variable in sim.keras_model.trainable_variables]


def gradients(sim, x, y, monkeypatch, **kwargs):
    """{(object, name): gradient} of a batch of all items, as the optimiser gets them."""
    found = []
    monkeypatch.setattr(sim.keras_model, "compiled_update", found.append)
    n_items = len(next(iter(x.values())))
    sim.fit(x, y, batch_size=n_items, verbose=0, shuffle=False, **kwargs)
    monkeypatch.undo()
    (batch,) = found
    return {p: gradient.numpy() for p, gradient in zip(sim.parameters, batch, strict=True)}


def sgd(rate=1.0):
    """Plain gradient descent, whose steps are the gradients."""
    return tf.keras.optimizers.SGD(rate)


def of_packages(types):
    """Those types that packages define; examples in docs may have registered others."""
    homes = ("nengo", "nengo_dl", "nengo_phasor")
    return {t for t in types if t.__module__.partition(".")[0] in homes}
