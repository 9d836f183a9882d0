"""The faster emulator beside nengo-loihi's own: every state after every step, to the bit."""

import contextlib
import warnings

import nengo
import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nengo.exceptions import SimulationError

nengo_loihi = pytest.importorskip("nengo_loihi")

from nengo_loihi.block import Axon, LoihiBlock, Synapse  # noqa: E402
from nengo_loihi.builder import Model  # noqa: E402
from nengo_loihi.builder.discretize import discretize_model  # noqa: E402
from nengo_loihi.emulator import interface  # noqa: E402
from nengo_loihi.inputs import SpikeInput  # noqa: E402

from nengo_phasor.loihi import emulator  # noqa: E402

COMPARTMENT_STATES = ("input", "current", "voltage", "spiked", "spike_count", "ref_count")


def states(emu):
    """Copies of all that a step changes, in one order for both emulators."""
    synapses = emu.synapses
    yield from (getattr(emu.compartment, name).copy() for name in COMPARTMENT_STATES)
    yield from (trace.copy() for trace in synapses.traces.values())
    yield from (error.copy() for error in synapses.pes_errors.values())
    for synapse in synapses.traces:
        yield from (weights.copy() for weights in synapse.weights)


@contextlib.contextmanager
def overflow_allowed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def recorded(emu, steps):
    with overflow_allowed():
        for _ in range(steps):
            emu.step()
            yield list(states(emu))


def assert_same(ours, stock):
    """To the bit: also the sign of a zero, and the type."""
    assert len(ours) == len(stock)
    for a, b in zip(ours, stock, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


# ------------------------------------------------------------------------------ networks of Nengo


def chain():
    """Decoded connections, with an input from the host."""
    with nengo.Network(seed=1) as net:
        u = nengo.Node(lambda t: np.sin(20 * t))
        a = nengo.Ensemble(60, 1)
        b = nengo.Ensemble(50, 1)
        c = nengo.Ensemble(40, 1, neuron_type=nengo.SpikingRectifiedLinear())
        nengo.Connection(u, a)
        nengo.Connection(a, b, function=np.square, synapse=0.01)
        nengo.Connection(b, c)
        probes = [nengo.Probe(c, synapse=0.01), nengo.Probe(b.neurons, "voltage")]
    return net, probes


def neurons(transform):
    with nengo.Network(seed=2) as net:
        u = nengo.Node([0.7])
        a = nengo.Ensemble(40, 1, max_rates=nengo.dists.Uniform(100, 300))
        b = nengo.Ensemble(30, 1, bias=np.zeros(30), gain=np.ones(30))
        nengo.Connection(u, a)
        nengo.Connection(a.neurons, b.neurons, transform=transform, synapse=0.005)
        nengo.Connection(b.neurons, b.neurons, transform=-0.1 * np.ones((30, 30)), synapse=0.005)
        probes = [nengo.Probe(b.neurons), nengo.Probe(a.neurons)]
    return net, probes


def dense():
    return neurons(np.random.RandomState(0).normal(size=(30, 40), scale=0.02))


def sparse():
    matrix = scipy.sparse.random(30, 40, density=0.2, random_state=0)
    return neurons(nengo.Sparse((30, 40), init=matrix))


def convolution(pop_type=16):
    with nengo.Network(seed=3) as net:
        nengo_loihi.add_params(net)
        image = nengo.Node(np.random.RandomState(0).uniform(size=64))
        a = nengo.Ensemble(64, 1, gain=np.full(64, 2.0), bias=np.zeros(64))
        kernel = nengo.Convolution(4, (8, 8, 1), kernel_size=(3, 3), strides=(2, 2))
        b = nengo.Ensemble(kernel.size_out, 1, gain=np.ones(kernel.size_out), bias=np.ones(36))
        again = nengo.Convolution(20, (3, 3, 4), kernel_size=(2, 2), padding="same")
        c = nengo.Ensemble(again.size_out, 1, gain=np.ones(180), bias=np.zeros(180))
        net.config[a].on_chip = False
        nengo.Connection(image, a.neurons, synapse=None)
        for pre, post, transform in ((a, b, kernel), (b, c, again)):
            link = nengo.Connection(pre.neurons, post.neurons, transform=transform, synapse=0.005)
            net.config[link].pop_type = pop_type
        probes = [nengo.Probe(b.neurons), nengo.Probe(c.neurons, "voltage")]
    return net, probes


def learning():
    with nengo.Network(seed=4) as net:
        u = nengo.Node(lambda t: np.sin(30 * t))
        pre = nengo.Ensemble(80, 1)
        post = nengo.Node(size_in=1)
        error = nengo.Node(size_in=1)
        nengo.Connection(u, pre)
        link = nengo.Connection(
            pre, post, function=lambda x: 0, learning_rule_type=nengo.PES(5e-3), synapse=0.01
        )
        nengo.Connection(post, error)
        nengo.Connection(u, error, transform=-1)
        nengo.Connection(error, link.learning_rule)
        probes = [nengo.Probe(post, synapse=0.01), nengo.Probe(pre.neurons)]
    return net, probes


def split():
    """An ensemble over three blocks, which gives synapses that only some axons use."""
    with nengo.Network(seed=5) as net:
        nengo_loihi.add_params(net)
        u = nengo.Node([0.5])
        a = nengo.Ensemble(60, 1)
        b = nengo.Ensemble(30, 1)
        net.config[a].block_shape = nengo_loihi.BlockShape((20,), (60,))
        nengo.Connection(u, a)
        nengo.Connection(a, b)
        nengo.Connection(b.neurons, a.neurons, transform=-1e-3 * np.ones((60, 30)))
        probes = [nengo.Probe(a, synapse=0.02), nengo.Probe(b.neurons)]
    return net, probes


def cores():
    """Neurons to a layer in three cores, and from there on."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=6) as net:
        nengo_loihi.add_params(net)
        a = nengo.Ensemble(40, 1, gain=np.ones(40), bias=rng.uniform(1, 3, 40))
        b = nengo.Ensemble(30, 1, gain=np.ones(30), bias=np.zeros(30))
        c = nengo.Ensemble(8, 1, gain=np.ones(8), bias=np.zeros(8))
        net.config[b].block_shape = nengo_loihi.BlockShape((10,), (30,))
        for pre, post in ((a, b), (b, c)):
            weights = rng.normal(0.01, 0.02, (post.n_neurons, pre.n_neurons))
            nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0.005)
        probes = [nengo.Probe(b.neurons), nengo.Probe(c.neurons, "voltage")]
    return net, probes


def convolution_32():
    return convolution(pop_type=32)


NETWORKS = (chain, dense, sparse, convolution, convolution_32, learning, split, cores)


def run(simulator, make, steps, **kwargs):
    """All states after each step, and the probes' data; the weights learned belong to a model."""
    net, probes = make()
    found = []
    with overflow_allowed(), simulator(net, **kwargs) as sim:
        emu = sim.sims["emulator"]
        step = emu.step

        def recorded_step():
            step()
            found.append(list(states(emu)))

        emu.step = recorded_step
        sim.run_steps(steps)
    return emu, found, [sim.data[probe] for probe in probes]


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("target", ["sim", "simreal"])
def test_networks(make, target):
    compare(make, target=target)


@pytest.mark.parametrize("dt", [0.0005, 0.002])
@pytest.mark.parametrize("precompute", [False, True])
@pytest.mark.parametrize("make", [chain, convolution])
def test_steps_and_precomputing(make, dt, precompute):
    compare(make, dt=dt, precompute=precompute, target="sim")


def compare(make, **kwargs):
    steps = 80
    theirs, stock, stock_data = run(nengo_loihi.Simulator, make, steps, **kwargs)
    emu, ours, data = run(emulator.Simulator, make, steps, **kwargs)
    assert type(theirs) is interface.EmulatorInterface
    assert type(emu) is emulator.EmulatorInterface
    assert len(ours) == len(stock) == steps
    for a, b in zip(ours, stock, strict=True):
        assert_same(a, b)
    assert_same(data, stock_data)
    # something has happened in every one: spikes in each network, and learned weights
    assert stock[-1][COMPARTMENT_STATES.index("spike_count")].sum() > 100
    if make is learning:
        assert any(a.tobytes() != b.tobytes() for a, b in zip(stock[0], stock[-1], strict=True))


def test_cores_are_one_table_where_a_source_reaches_them_alike():
    net, _ = cores()
    with overflow_allowed(), emulator.Simulator(net, target="sim") as sim:
        synapses = sim.sims["emulator"].synapses
        assert not synapses.from_axons
        (_, (to_b,)), (where, (to_c,)) = synapses.from_blocks
        assert (to_b.table.shape, to_c.table.shape) == ((40, 30), (30, 8))
        assert where == to_b.where == slice(40, 70)
        sim.run_steps(100)
        counts = sim.sims["emulator"].compartment.spike_count
        before = np.count_nonzero(sim.sims["emulator"].compartment.spiked[:70])
        n_operations = sum(synapses.operations.values())
        assert before > 0  # sent in the next step
        spiked = sim.sims["emulator"].compartment.spiked
        sent = counts - spiked
        assert n_operations == sent[:40].sum() * 30 + sent[40:70].sum() * 8


@pytest.mark.parametrize("make", [learning, convolution])
def test_what_is_no_plain_table_takes_its_axons(make):
    """Learned weights, and shared kernels."""
    net, _ = make()
    with overflow_allowed(), emulator.Simulator(net, target="sim") as sim:
        synapses = sim.sims["emulator"].synapses
        linked = {s for link in synapses._every_link() for s in link.synapses}
        assert set(synapses.traces).isdisjoint(linked)
        assert all(synapses.fans[synapse].dense for synapse in linked)
        assert synapses.from_axons or any(axons for *_, axons in synapses.from_inputs)


# -------------------------------------------------------------------------- networks of blocks


def random_model(rng, *, discretize, noise=False, odd=None):
    """Blocks, synapses, axons and inputs that Nengo's builders make, and some that they don't.

    ``odd`` is what a synapse gets that flat arrays can't stand for.
    """
    model = Model()
    blocks = [LoihiBlock(int(rng.randint(3, 12))) for _ in range(rng.randint(1, 4))]
    inputs = [SpikeInput(int(rng.randint(3, 12))) for _ in range(rng.randint(1, 3))]
    for block in blocks:
        kind = (block.compartment.configure_lif, block.compartment.configure_relu)[rng.randint(2)]
        kind(tau_ref=0.001 * rng.randint(3))
        block.compartment.configure_filter(rng.choice([0.001, 0.005, 0.03]))
        block.compartment.bias[:] = rng.uniform(-0.5, 1.5, size=block.n_neurons)
        if noise:
            block.compartment.enable_noise[:] = rng.rand(block.n_neurons) < 0.5
            block.compartment.noise_exp = -1.0
            block.compartment.noise_at_membrane = int(rng.randint(2))
        model.add_block(block)
    for spike_input in inputs:
        for t in range(1, 40):
            fired = np.flatnonzero(rng.rand(spike_input.n_neurons) < 0.3)
            spike_input.add_spikes(t, fired, permanent=bool(rng.randint(2)))
        model.add_input(spike_input)
    for source in (*blocks, *inputs):
        for _ in range(rng.randint(1, 4)):
            connect(rng, source, blocks[rng.randint(len(blocks))])
    if odd:
        synapse = next(s for block in blocks for s in block.synapses)
        odd(synapse)
    if discretize:
        with overflow_allowed():
            discretize_model(model)
    return model


def connect(rng, source, block):
    n_axons, n_atoms = source.n_neurons, int(rng.randint(1, 4))
    synapse, axon = Synapse(n_axons), Axon(n_axons)
    kind = rng.choice(["dense", "sparse", "population", "learning"])
    if kind == "population":
        width = int(rng.randint(1, block.n_neurons + 1))
        sizes = rng.randint(1, width + 1, size=3)
        weights = [rng.normal(size=(n_atoms, size)) for size in sizes]
        indices = [
            np.array([rng.permutation(width)[:size] for _ in range(n_atoms)]) for size in sizes
        ]
        bases = rng.randint(-1, block.n_neurons - width + 1, size=n_axons)
        synapse.set_population_weights(
            weights, indices, rng.randint(3, size=n_axons), bases, pop_type=rng.choice([16, 32])
        )
        axon.set_compartment_axon_map(
            rng.randint(-1, n_axons, size=n_axons), atoms=rng.randint(n_atoms, size=n_axons)
        )
    elif kind == "sparse":
        matrix = scipy.sparse.random(n_axons, block.n_neurons, density=0.5, random_state=rng)
        matrix.data[:1] = 1
        synapse.set_weights(scipy.sparse.csr_matrix(matrix))
        axon.set_compartment_axon_map(rng.permutation(n_axons) - 1)
    else:
        synapse.set_weights(rng.normal(size=(n_axons, block.n_neurons)))
        if kind == "learning" and block.n_neurons % 2 == 0:
            synapse.set_learning(0.01, tracing_tau=10, tracing_mag=0.5)
    axon.target = synapse
    block.add_synapse(synapse)
    source.add_axon(axon)


def duplicate(synapse):
    """Reach the same compartment with all of an axon's weights."""
    for indices in synapse.indices:
        indices[:] = indices[:, :1]


def from_the_end(synapse):
    """Count compartments from the end."""
    synapse.indices = [indices - 1 for indices in synapse.indices]


def pairs_of_emulators(seed, strict=False, **kwargs):
    """Our emulator and nengo-loihi's, of equal models: learning would change a shared one."""
    result = []
    for interface_type in (emulator.EmulatorInterface, interface.EmulatorInterface):
        model = random_model(np.random.RandomState(seed), **kwargs)
        result.append(interface_type(model, seed=seed))
        result[-1].synapses.strict = result[-1].compartment.strict = strict
    return result


def errors_for(emu, rng):
    """Errors from the host for all synapses that learn."""
    return [
        (synapse, 1, rng.uniform(-1, 1, size=error.shape) * 100)
        for synapse, error in emu.synapses.pes_errors.items()
        if error.dtype == np.int32
    ]


def compare_blocks(seed, **kwargs):
    ours, stock = pairs_of_emulators(seed, **kwargs)
    for emu in (ours, stock):
        emu.host2chip([], errors_for(emu, np.random.RandomState(seed)))
    for a, b in zip(recorded(ours, 45), recorded(stock, 45), strict=True):
        assert_same(a, b)
    return ours


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**31 - 1), discretize=st.booleans(), noise=st.booleans())
def test_blocks(seed, discretize, noise):
    emu = compare_blocks(seed, discretize=discretize, noise=noise)
    assert list(emu.synapses.fans) == [s for block in emu.block_info.blocks for s in block.synapses]


@pytest.mark.parametrize("odd", [duplicate, from_the_end])
@pytest.mark.parametrize("discretize", [True, False])
def test_odd_synapses_take_the_other_way(odd, discretize):
    n_left_out = 0
    for seed in range(15):
        emu = compare_blocks(seed, discretize=discretize, odd=odd)
        n_synapses = sum(len(block.synapses) for block in emu.block_info.blocks)
        n_left_out += n_synapses - len(emu.synapses.fans)
    assert n_left_out >= 10


def overloaded(interface_type, strict):
    """200 spikes at once, of weights that don't fit into a compartment's input."""
    model = Model()
    spike_input = SpikeInput(200)
    for t in range(1, 10):
        spike_input.add_spikes(t, np.arange(200))
    block, synapse, axon = LoihiBlock(4), Synapse(200), Axon(200)
    block.compartment.configure_relu()
    block.compartment.configure_filter(0.1)
    synapse.set_weights(np.ones((200, 4)))
    block.add_synapse(synapse)
    axon.target = synapse
    spike_input.add_axon(axon)
    model.add_block(block)
    model.add_input(spike_input)
    discretize_model(model)
    block.compartment.vmin, block.compartment.vmax = -(2**22) + 1, 2**22 - 1
    synapse.weights = [weights * 100 for weights in synapse.weights]
    emu = interface_type(model, seed=0)
    emu.compartment.strict = strict
    return emu


def test_overflow():
    ours, stock = (
        overloaded(kind, strict=False)
        for kind in (emulator.EmulatorInterface, interface.EmulatorInterface)
    )
    for _ in range(12):
        with warnings.catch_warnings(record=True) as our_warnings:
            warnings.simplefilter("always")
            ours.step()
        with warnings.catch_warnings(record=True) as their_warnings:
            warnings.simplefilter("always")
            stock.step()
        assert [str(w.message) for w in our_warnings] == [str(w.message) for w in their_warnings]
        assert_same(list(states(ours)), list(states(stock)))
    strict = overloaded(emulator.EmulatorInterface, strict=True)
    with pytest.raises(SimulationError, match="Overflow in q0"):
        strict.run_steps(3)


def test_lost_trace_spikes_are_reported_as_often():
    counts = []
    for seed in range(12):
        both = []
        for emu in pairs_of_emulators(seed, discretize=True):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                emu.run_steps(30)
            both.append(sum("trace spikes lost" in str(w.message) for w in caught))
        assert both[0] == both[1]
        counts.append(both[0])
    assert max(counts) > 0


# ------------------------------------------------------------------------------------ choosing it


def test_leaves_nengo_loihi_as_it_is():
    net, _ = dense()
    simulators = [kind(net, target="sim") for kind in (emulator.Simulator, nengo_loihi.Simulator)]
    with simulators[0] as ours, simulators[1] as own:
        assert type(ours.sims["emulator"]) is emulator.EmulatorInterface
        assert type(own.sims["emulator"]) is interface.EmulatorInterface
    assert ours.closed
    assert ours.sims["emulator"].closed


def test_seed_is_the_networks():
    net, _ = chain()
    with emulator.Simulator(net, target="sim") as sim:
        assert sim.sims["emulator"].seed == net.seed + 1
