"""What can't be trained with or on: errors that name object and value, and change nothing."""

import os
import signal
import subprocess
import sys
import time

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, SimulationError, SimulatorClosed, ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import ResonateAndFire, layerwise
from tests.layerwise.training.common import (
    N_HIDDEN,
    N_ITEMS,
    N_OUT,
    N_STEPS,
    compiled,
    data,
    sgd,
    small,
    tf,
    values,
)

NET, OTHER = small(), small()
X, Y = data()


def with_value(array, value):
    """A copy of an array with this value in its item 5, step 2, place 1."""
    array = array.copy()
    array[5, 2, 1] = value
    return array


IN, OUT = {NET.x: X}, {NET.p: Y}

DATA = {
    "no mapping": (X.tolist(), r"x: must be {node: array}.* got list"),
    "none": (None, r"x: must be {node: array}.* got NoneType"),
    "nothing": ({}, "is empty"),
    "no items": ({NET.x: X[:0]}, "x: has no items"),
    "without steps": ({NET.x: X[:, 0]}, r"eyes.*\(8, 2\), but need \(n_items, n_steps or 1, 2\)"),
    "another size": ({NET.x: X[..., :1]}, r"eyes.*\(8, 4, 1\)"),
    "another network's": ({OTHER.x: X}, "eyes.* takes no data"),
    "a probe's": ({NET.p: X}, "seen.* takes no data"),
    "another name's": ({"nose": X}, "nose, which no node is named"),
    "nan": ({NET.x: with_value(X, np.nan)}, "eyes.* nan in item 5, step 2, place 1"),
    "inf": ({NET.x: with_value(X, -np.inf)}, "eyes.* -inf in item 5, step 2, place 1"),
    "text": ({NET.x: X.astype(str)}, "eyes.*needs real numbers"),
}

TARGETS = {
    "none": (None, r"y: must be {probe: array}, got None"),
    "of some probes": ({}, "nothing for .*seen"),
    "no items": ({NET.p: Y[:0]}, r"seen.*\(0, 4, 3\); needs \(n_items.* data: 8"),
    "half the items": ({NET.p: Y[:4]}, r"seen.*\(4, 4, 3\); needs \(n_items.* data: 8"),
    "without steps": ({NET.p: Y[:, 0]}, r"seen.*\(8, 3\); needs \(n_items"),
    "fewer steps": ({NET.p: Y[:, :3]}, r"seen.*\(8, 3, 3\).*needs \(8, 4, 3\)"),
    "more steps": ({NET.p: np.tile(Y, (1, 2, 1))}, r"seen.*\(8, 8, 3\).*needs \(8, 4, 3\)"),
    "one value": ({NET.p: Y[..., :1]}, r"seen.*\(8, 4, 1\).*needs \(8, 4, 3\)"),
    "fewer values": ({NET.p: Y[..., :2]}, r"seen.*\(8, 4, 2\).*needs \(8, 4, 3\)"),
    "another network's": ({**OUT, OTHER.p: Y}, "is for .*seen.* got no loss"),
    "of a probe without loss": ({**OUT, NET.q: Y}, "is for .*spikes.* got no loss"),
    "of a node": ({**OUT, NET.x: Y}, "is for .*eyes.* got no loss"),
    "nan": ({NET.p: with_value(Y, np.nan)}, "seen.* nan in item 5, step 2, place 1"),
    "inf": ({NET.p: with_value(Y, np.inf)}, "seen.* inf in item 5, step 2, place 1"),
    "text": ({NET.p: Y.astype(str)}, "seen.*needs real numbers"),
    "complex": ({NET.p: Y + 1j}, "seen.*complex128; needs real numbers"),
}

ARGUMENTS = {
    **{
        f"{name} {value!r}": ({name: value}, f"{name}: must be a positive integer, got {value!r}")
        for name in ("batch_size", "validation_batch_size", "epochs", "n_steps", "truncation")
        for value in (0, -1, 2.5, "a", True)
    },
    "checkpoint 0": ({"checkpoint": 0}, "checkpoint: must be a positive integer, got 0"),
    "fewer steps": ({"n_steps": 3}, "eyes.* 8 items of 4 steps; needs 8 .* of 3"),
    "more steps": ({"n_steps": 5}, "eyes.* 8 items of 4 steps; needs 8 .* of 5"),
    "validation, nan": (
        {"validation_data": ({NET.x: with_value(X, np.nan)}, OUT)},
        "eyes.* nan in item 5, step 2, place 1",
    ),
    "validation, another shape": (
        {"validation_data": [IN, {NET.p: Y[..., :2]}]},
        r"seen.*needs \(8, 4, 3\)",
    ),
}

FITS = {
    **{f"data, {key}": ({"x": x}, why) for key, (x, why) in DATA.items()},
    **{f"targets, {key}": ({"y": y}, why) for key, (y, why) in TARGETS.items()},
    **ARGUMENTS,
}


@pytest.fixture(scope="module")
def sim():
    with compiled(NET) as sim:
        yield sim


@pytest.mark.parametrize(("given", "why"), FITS.values(), ids=FITS)
def test_refused_by_fit(sim, given, why):
    """Before anything is trained."""
    before = values(sim)
    with pytest.raises(ValidationError, match=why):
        sim.fit(**{"x": IN, "y": OUT, "verbose": 0, **given})
    assert_array_equal(np.concatenate(list(map(np.ravel, values(sim)))), flat(before))


def flat(arrays):
    return np.concatenate(list(map(np.ravel, arrays)))


@pytest.mark.parametrize("key", [k for k in FITS if k.startswith(("data", "targets"))])
def test_refused_by_evaluate(sim, key):
    given, why = FITS[key]
    with pytest.raises(ValidationError, match=why):
        sim.evaluate(**{"x": IN, "y": OUT, "verbose": 0, **given})


class Batches(tf.keras.utils.Sequence):
    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


BATCHES = {
    "data, nan": (({"eyes": with_value(X, np.nan)}, {"seen": Y}), "eyes.* nan in item 5"),
    "data, name": (({"nose": X}, {"seen": Y}), "nose, which no node is named"),
    "targets, nan": (({"eyes": X}, {"seen": with_value(Y, np.nan)}), "seen.* nan in item 5"),
    "targets, items": (({"eyes": X}, {"seen": Y[:3]}), r"seen.*\(3, 4, 3\)"),
    "targets, values": (({"eyes": X}, {"seen": Y[..., :1]}), r"seen.*\(8, 4, 1\)"),
    "targets, name": (({"eyes": X}, {"heard": Y}), "is for heard"),
    "targets, none": (({"eyes": X}, {}), "nothing for .*seen"),
}


@pytest.mark.parametrize(("batch", "why"), BATCHES.values(), ids=BATCHES)
def test_refused_in_a_sequence(sim, batch, why):
    """At the batch that it is in, whose gradients change nothing."""
    good = {"eyes": X}, {"seen": Y}
    sim.fit(Batches(good), verbose=0)
    before = values(sim)
    with pytest.raises(ValidationError, match=why):
        sim.fit(Batches(batch, good), shuffle=False, verbose=0)
    assert_array_equal(flat(values(sim)), flat(before))


def test_constant_targets(sim):
    """A single step of targets stands for all."""
    whole = sim.evaluate(IN, {NET.p: np.repeat(Y[:, :1], N_STEPS, axis=1)}, verbose=0)
    constant = sim.evaluate(IN, {NET.p: Y[:, :1]}, verbose=0)
    assert constant["loss"] == pytest.approx(whole["loss"], rel=1e-6)


def test_targets_of_classes():
    """A loss that does not compare value by value takes targets of another size."""
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with compiled(NET, loss={NET.p: loss}) as sim:
        history = sim.fit(IN, {NET.p: np.zeros((N_ITEMS, N_STEPS, 1), int)}, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_targets_that_only_the_loss_can_refuse():
    def loss(y_true, y_pred):
        return tf.reduce_mean(y_true * y_pred, axis=-1)

    sim = compiled(NET, loss={NET.p: loss})
    with pytest.raises(ValidationError, match=r"seen.*\(4, 3, 3\).*\(4, 4, 3\)"):
        sim.fit(IN, {NET.p: Y[:, :3]}, verbose=0)


COMPILE = {
    "no loss": ({"loss": None}, "loss: is missing"),
    "no losses": ({"loss": {}}, "loss: is missing"),
    "unknown loss": ({"loss": {NET.p: "nonsense"}}, "loss of .*seen.*got 'nonsense'"),
    "a number as loss": ({"loss": {NET.p: 3}}, "loss of .*seen.*got 3"),
    "losses in a list": ({"loss": ["mse"]}, r"loss of .*got \['mse'\]"),
    "another network's probe": (
        {"loss": {OTHER.p: "mse"}},
        "loss: is for .*seen.* not one of its probes",
    ),
    "a node": ({"loss": {NET.x: "mse"}}, "loss: is for .*eyes.* not one of its probes"),
    "unknown optimizer": ({"optimizer": "fastest"}, "tf.keras.optimizers or its name.*'fastest'"),
    "no optimizer": ({"optimizer": None}, "optimizer: must be .*None"),
    "unknown metric": ({"metrics": {NET.p: ["mae", "x"]}}, "metrics of .*seen.*got 'x'"),
    "metrics of no probe": ({"metrics": ["mae"]}, r"metrics: must be {probe: ...}, got \['mae'\]"),
    "weight of no loss": ({"loss_weights": {NET.q: 1.0}}, "loss_weights of .*spikes.*no loss"),
    "text as weight": ({"loss_weights": {NET.p: "a"}}, "loss_weights of .*seen.*got 'a'"),
    "nan as weight": ({"loss_weights": {NET.p: np.nan}}, "loss_weights of .*seen.*got nan"),
}


@pytest.mark.parametrize(("given", "why"), COMPILE.values(), ids=COMPILE)
def test_refused_by_compile(given, why):
    with pytest.raises(ValidationError, match=why):
        compiled(NET, **given)


def test_nothing_trains():
    with (net := small()):
        layerwise.configure_settings(trainable=False)
    with pytest.raises(ValidationError, match="nothing that trains"):
        compiled(net)


CALLS = {
    "fit": lambda sim: sim.fit(IN, OUT),
    "evaluate": lambda sim: sim.evaluate(IN, OUT),
    "keras_model": lambda sim: sim.keras_model,
    "save_params": lambda sim: sim.save_params("nowhere"),
    "load_params": lambda sim: sim.load_params("nowhere"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_needs_compile(call):
    sim = layerwise.Simulator(NET, progress_bar=False)
    with pytest.raises(SimulationError, match="call compile"):
        call(sim)


@pytest.mark.parametrize("name", ["fit", "evaluate"])
def test_closed(name):
    with compiled(NET) as sim:
        pass
    with pytest.raises(SimulatorClosed):
        CALLS[name](sim)
    with pytest.raises(SimulatorClosed):
        sim.compile("sgd", loss="mse")


# --- parts that can't be trained ------------------------------------------------------------------


def between(make):
    """A network with a relay, or what ``make(relay)`` puts there, between what trains and p."""
    with (net := small()):
        net.last = nengo.Node(size_in=N_OUT, label="last")
        make(net)
        net.p = nengo.Probe(net.last)
    return net


def own_synapse(net):
    class Late(nengo.synapses.LinearFilter):
        def make_step(self, *args, **kwargs):
            return super().make_step(*args, **kwargs)

    nengo.Connection(net.out, net.last, synapse=Late([1], [0.1, 1]))


def triangle(net):
    nengo.Connection(net.out, net.last, synapse=nengo.synapses.Triangle(0.01))


def function(net):
    node = nengo.Node(lambda t, x: 2 * x, size_in=N_OUT, label="doubler")
    nengo.Connection(net.out, node, synapse=None)
    nengo.Connection(node, net.last, synapse=None)


def process(net):
    node = nengo.Node(nengo.synapses.Triangle(0.01), size_in=N_OUT, size_out=N_OUT, label="smooth")
    nengo.Connection(net.out, node, synapse=None)
    nengo.Connection(node, net.last, synapse=None)


def in_a_circle(net):
    node = nengo.Node(lambda t, x: 2 * x, size_in=N_OUT, label="doubler")
    nengo.Connection(net.out, node, synapse=None)
    nengo.Connection(node, net.out, synapse=0.01)
    nengo.Connection(net.out, net.last, synapse=None)


PARTS = {
    "synapse": (own_synapse, "Late"),
    "triangle": (triangle, "Triangle"),
    "function": (function, "doubler.*its output"),
    "process": (process, "smooth.*its output"),
    "function in a circle": (in_a_circle, "doubler.*its output"),
}


@pytest.mark.parametrize(("make", "why"), PARTS.values(), ids=PARTS)
def test_parts_without_derivative(make, why):
    """Named with what to do; where nothing before them trains, they may be there."""
    net = between(make)
    with pytest.raises(BuildError, match=f"{why}.*use nengo_dl.Simulator"):
        compiled(net)
    with net:
        layerwise.configure_settings(trainable=False)
        tail = nengo.Node(size_in=N_OUT)
        link = nengo.Connection(net.last, tail, transform=np.ones((N_OUT, N_OUT)), synapse=None)
        net.config[link].trainable = True
        net.p = nengo.Probe(tail)
    with compiled(net) as sim:
        sim.fit({net.x: X}, {net.p: Y}, verbose=0)
        assert [parameter.obj for parameter in sim.parameters] == [link]


NEURONS = {
    "no surrogate": (ResonateAndFire(), "ResonateAndFire neurons have no surrogate: give them"),
    "Izhikevich": (nengo.Izhikevich(), r"Izhikevich neurons have no derivative.*register\(Izhi"),
    "adaptive": (nengo.AdaptiveLIF(), r"AdaptiveLIF neurons have no derivative.*register\(Adap"),
    "random": (nengo.PoissonSpiking(nengo.LIFRate()), r"PoissonSpiking neurons have no derivative"),
}


@pytest.mark.parametrize(("neurons", "why"), NEURONS.values(), ids=NEURONS)
def test_neurons_without_derivative(neurons, why):
    with pytest.raises(BuildError, match=f"cells.*: its {why}"):
        compiled(small(neurons))


# --- no numbers in training -----------------------------------------------------------------------


def test_gradient_of_a_loss_that_is_no_number():
    """Stops with the probe and the batch; the weights are those of the batch before."""

    def loss(y_true, y_pred):
        return tf.reduce_mean(y_pred * tf.sqrt(y_true), axis=-1)

    positive = np.abs(Y)
    with compiled(NET, loss={NET.p: loss}) as sim:
        sim.fit(IN, {NET.p: positive}, verbose=0)  # 2 batches
        before = values(sim)
        with pytest.raises(SimulationError, match=r"seen.* of its losses .* batch 2 "):
            sim.fit(IN, {NET.p: -positive}, verbose=0)
        assert_array_equal(flat(values(sim)), flat(before))
        sim.fit(IN, {NET.p: positive}, verbose=0)
        assert np.isfinite(flat(values(sim))).all()


def test_gradient_of_a_weight_that_is_no_number():
    """Of finite gradients by what the probes see, where they overflow on the way back."""

    def loss(y_true, y_pred):
        return 1e30 * tf.reduce_sum(y_pred, axis=-1)

    with (net := small()):
        net.b.transform = 1e20 * np.ones((N_OUT, N_HIDDEN))
    with compiled(net, dtype="float32", loss={net.p: loss}) as sim:
        before = values(sim)
        with pytest.raises(SimulationError, match=r"cells.* gradient of its bias .* batch 0 "):
            sim.fit({net.x: X}, {net.p: Y}, verbose=0)
        assert_array_equal(flat(values(sim)), flat(before))


def test_weights_that_grow_without_bound():
    """Training that diverges ends with an error, not with weights of NaN."""
    with compiled(NET, sgd(1e6)) as sim:
        with pytest.raises(SimulationError, match=r"batch [0-9]+ .* learning rate"):
            sim.fit(IN, OUT, epochs=1000, verbose=0)
        assert np.isfinite(flat(values(sim))).all()


def test_large_gradients_are_numbers(sim):
    """Whose sum overflows, and which are finite one by one."""
    with np.errstate(over="ignore"):
        gradient = np.full((4, N_STEPS, N_OUT), 2e38, np.float32)
        assert not np.isfinite(gradient.sum())
        sim.keras_model._check_finite(gradient, NET.p, "its losses")


# --- other objects and files ----------------------------------------------------------------------


def test_objects_of_others(sim):
    for objs in (OTHER, OTHER.e, OTHER.a, NET.x, "cells"):
        with pytest.raises(ValidationError, match="connections or ensembles of the network"):
            sim.freeze_params(objs)
    for obj in (NET.e, OTHER.p):
        with pytest.raises(ValidationError, match="a probe or a node without input"):
            sim.get_name(obj)


def test_files_of_others(sim, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.npz"):
        sim.load_params(tmp_path / "missing")
    (tmp_path / "text.npz").write_text("weights")
    with pytest.raises(SimulationError, match=r"text\.npz was not written by save_params"):
        sim.load_params(tmp_path / "text")
    sim.save_params(tmp_path / "cut")
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SimulationError, match=r"cut\.npz .* damaged"):
        sim.load_params(tmp_path / "cut")
    with (net := small()):
        layerwise.configure_settings(trainable=False)
        net.config[net.a].trainable = True
    with compiled(net) as other:
        other.save_params(tmp_path / "other")
    with pytest.raises(SimulationError, match=r"other.* of another network.*\(2, 5\)"):
        sim.load_params(tmp_path / "other")


def test_truncation_between_samples():
    """Of a probe that would see nothing of a part."""
    net = small(sample_every=0.003)
    x, y = data(n_steps=9)
    sim = compiled(net)
    with pytest.raises(ValidationError, match=r"truncation: .*seen.*without a sample"):
        sim.fit({net.x: x}, {net.p: y[:, :3]}, truncation=2, verbose=0)


# --- interruption ---------------------------------------------------------------------------------

LONG = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
import nengo, numpy as np, nengo_phasor as nph
with nengo.Network(seed=0) as net:
    given = nengo.Node(np.zeros(1))
    cells = nengo.Ensemble(500, 1, neuron_type=nph.SurrogateLIF())
    nengo.Connection(given, cells.neurons, transform=np.ones((500, 1)), synapse=None)
    {more}
    probe = nengo.Probe(cells.neurons)
with nph.layerwise.Simulator(net, threads=2, progress_bar=False) as sim:
    sim.compile("sgd", loss="mse")
    def fit(n_items, n_steps):
        x = np.ones((n_items, 1, 1))
        sim.fit({{given: x}}, {{probe: np.zeros((n_items, 1, 500))}}, n_steps, verbose=0)
    fit(1, 2)
    before = sim.data[cells].bias
    print("running", flush=True)
    try:
        fit(32, 30_000)
    except KeyboardInterrupt:
        print(time.monotonic(), np.array_equal(sim.data[cells].bias, before))
"""
LOOP = "nengo.Connection(cells.neurons, cells.neurons, transform=np.eye(500), synapse=0.01)"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("more", ["", LOOP], ids=["layers", "loop"])
def test_interrupt_ends_training(more):
    """With KeyboardInterrupt, soon, and the weights of the batch before."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG.format(more=more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "running\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert output, errors
    ended, same = output.split()
    assert float(ended) - start < 5, errors
    assert same == "True"
