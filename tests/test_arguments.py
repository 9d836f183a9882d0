"""Every public function of the modules that measure, code and convert numbers refuses nonsense."""

import dataclasses
import inspect
from importlib import import_module
from typing import NamedTuple

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_phasor import arousal, datasets, energy, metrics, phases, pooling, schedules, vsa
from nengo_phasor.arousal import Arousal

inf, nan = np.inf, np.nan
TOO_MANY = 10**12


class Beside(NamedTuple):
    """A value that does not go with another argument's, which the error names."""

    other: str
    value: object


# values that are refused, by what an argument is

RAGGED = [[0.1], [0.2, 0.3]]
POSITIVE = (0, -1, nan, inf, True, "1", [1.0, 2.0], None)
NUMBER = (nan, inf, True, "1", [1.0, 2.0], None)
COUNT = (0, -1, 1.5, nan, True, "1", 10**30)
FRACTION = (0, -0.1, 1.01, nan, True, "half")
PHASES = (inf, [0.1, -inf], [True], "late", RAGGED, None)
NUMBERS = (*PHASES, nan, [0.1, nan])
VECTOR = ([0.1, nan, 0.2, 0.3], [], 0.5, "v", [[0.1, 0.2, 0.3, 0.4]], None)
OTHER_LENGTH = (*VECTOR, [0.1, 0.2])
COUNTS = (nan, [1, -2], [inf], ["1"], [True])
SPIKES = (np.zeros(20), [[0.0, nan]], [[inf]], "spikes", RAGGED, None)
CLASSES = ([0, 1], [0, 1, 4], [0, 1, -1], [0.0, 1.0, nan], [True, False, True], np.eye(3), None)
NETWORK = (None, "network", 3)
PATH = (3, ["data"], True)
SHAPE = ((0, 4, 1), (4, 4), (4.5, 4, 1), (4, 4, True), (10**7, 10**7, 1), 4, "4")
WINDOW = ((0, 1), (1,), (1, True), 2, "2")

RASTER = np.zeros((20, 2))
RASTER[::4] = 1000.0
OUTPUTS = np.random.RandomState(0).rand(3, 8, 4)
DIVERGED = np.where(np.arange(8)[:, None] < 3, OUTPUTS, nan)
NOT_OUTPUTS = (DIVERGED, OUTPUTS * inf, OUTPUTS[0], OUTPUTS > 0.5, OUTPUTS[:0], "outputs")
AROUSAL = Arousal(0.5, 0.1, 0.002, 0.003, 0.1)

with nengo.Network() as NET:
    RELAY = nengo.Node(size_in=2)
    LAYER = nengo.Ensemble(2, 1, gain=np.ones(2), bias=np.zeros(2))
    nengo.Connection(RELAY, LAYER.neurons)
ELSEWHERE = nengo.Node(size_in=2, add_to_container=False)


def runs(outputs=OUTPUTS, spikes=(1.0, 0.0, 2.0)):
    """Return what `arousal.classify` runs a network with."""
    return lambda items, n, m_f, state: (outputs[items, :n], np.asarray(spikes)[items], None)


MAX_POOL = {
    "input_shape": SHAPE,
    "pool_size": (*WINDOW, (5, 5)),
    "strides": WINDOW,
    "padding": ("round", True, None),
}
TWO_PHASES = {"a": PHASES, "b": (*PHASES, [0.1, 0.2, 0.3])}
REPEATED = {"phase": PHASES, "frequency": POSITIVE, "n_cycles": (*COUNT, TOO_MANY)}
RHYTHM = {"frequency": (*POSITIVE, 300), "dt": (*POSITIVE, Beside("frequency", 0.1))}

# function: (arguments that are right, {argument: values that are refused})
TABLE = {
    "arousal.Arousal": (
        {"low": 0.5, "high": 0.1, "wait": 0.0, "duration": 0.1, "threshold": 1.0},
        {
            "low": POSITIVE,
            "high": (*POSITIVE, 0.5),
            "wait": (-1, *NUMBER),
            "duration": POSITIVE,
            "threshold": (-1, nan, inf, True, "1", [1.0, 2.0]),
        },
    ),
    "arousal.Arousal.steps": ({}, {"dt": (*POSITIVE, Beside("duration", 1.0))}),
    "arousal.Arousal.margin": ({"outputs": OUTPUTS}, {"outputs": NOT_OUTPUTS, "dt": POSITIVE}),
    "arousal.Arousal.uncertain": ({"outputs": OUTPUTS}, {"outputs": NOT_OUTPUTS, "dt": POSITIVE}),
    "arousal.Arousal.check_fitted": ({}, {}),
    "arousal.Arousal.fit": (
        {"outputs": OUTPUTS, "labels": [0, 1, 2], "precise": [0, 1, 3]},
        {
            "outputs": NOT_OUTPUTS,
            "labels": CLASSES,
            "precise": CLASSES,
            "dt": POSITIVE,
            "fraction": FRACTION,
            "waits": ([-0.1], [nan], Beside("outputs", [0.001, 0.1]), 0.001, ["late"]),
        },
    ),
    "arousal.classify": (
        {"arousal": AROUSAL, "run": runs(), "n_items": 3, "n_steps": 8},
        {
            "arousal": (Beside("threshold", Arousal(0.5, 0.1, 0.002, 0.003)), None, 0.5),
            "run": (None, runs(DIVERGED), runs(OUTPUTS[..., 0]), runs(spikes=[nan, 0, -1])),
            "n_items": COUNT,
            "n_steps": (*COUNT, 5),
            "dt": POSITIVE,
        },
    ),
    "datasets.locate": ({"name": "iris"}, {"name": ("x", None, [], 3), "folder": PATH}),
    "datasets.load": ({"name": "iris"}, {"name": ("x", None, [], 3), "folder": PATH}),
    **{
        f"datasets.{name}": (None, {"folder": PATH})
        for name in ("fashion_mnist", "mnist", "cifar10", "cifar100", "qtdb")
    },
    "datasets.iris": ({}, {}),
    "datasets.sonar": ({}, {}),
    "datasets.split": (
        {"x": np.zeros((4, 2)), "y": [0, 0, 1, 1], "fraction": 0.5, "seed": 0},
        {
            "x": (Beside("y", np.zeros((3, 2))), np.full((4, 2), nan), [], "x", None),
            "y": (
                [0, 0, 1],
                [0, 0, 1, -1],
                [0.0, 0.0, 1.0, 1.0],
                Beside("fraction", [0, 0, 1, 2]),
                None,
            ),
            "fraction": (*FRACTION, 1.0),
            "seed": (-1, 0.5, True, "1"),
        },
    ),
    "energy.energy": (
        {"operations": {"synapse": [1, 2]}, "device": "loihi"},
        {
            "operations": (*({"synapse": x} for x in COUNTS), {"spike": 1}, {3: 1}, {}, [1], None),
            "device": (None, "brain", 3, [], energy.Device(-1.0, nan, None, ""), "truenorth "),
        },
    ),
    "energy.fan_out": (
        {"network": NET, "senders": [RELAY]},
        {"network": NETWORK, "senders": ([ELSEWHERE], [LAYER], ["relay"], 3, None)},
    ),
    "energy.synaptic_operations": (
        {"network": NET, "counts": {LAYER: [[1, 0]], RELAY: [[0, 2]]}},
        {
            "network": NETWORK,
            "counts": (
                *({LAYER: [x]} for x in ([1, -1], [1, nan], [True, False], [1, 2, 3])),
                {LAYER: [[1, 0]], RELAY: [[0, 2], [1, 1]]},
                {LAYER: [[1, 0]], ELSEWHERE: [[0, 2]]},
                {LAYER: [[1, 0]], "relay": [[0, 2]]},
                {},
                None,
            ),
        },
    ),
    "energy.neuron_updates": (
        {"network": NET, "n_steps": 10},
        {"network": NETWORK, "n_steps": COUNT},
    ),
    "energy.multiply_accumulates": ({"network": NET}, {"network": NETWORK}),
    "metrics.phase_class": ({"phase": [0.1, nan]}, {"phase": (*PHASES, [])}),
    "metrics.accuracy": (
        {"predicted": [0, 1, 2], "labels": [0, 1, 1]},
        {
            "predicted": ([], [0, 1, -1], [0.0, nan, 1.0], [True] * 3, ["a", "b", "c"], None),
            "labels": (*(x for x in CLASSES if np.shape(x) != (3,) or 4 not in x), ["a"] * 3),
        },
    ),
    "metrics.accuracy_over_time": (
        {"outputs": OUTPUTS, "labels": [0, 1, 2]},
        {"outputs": NOT_OUTPUTS, "labels": CLASSES},
    ),
    "metrics.matching_time": (
        {"accuracy": [0.1, 0.5]},
        {
            "accuracy": ([0, 0], [0.5, nan], [0.5, inf], [-0.1, 0.5], [[0.5]], [], 0.5, "high"),
            "dt": POSITIVE,
            "fraction": FRACTION,
        },
    ),
    "metrics.stability": (
        {"accuracy": [0.1, 0.5]},
        {
            "accuracy": ([0, 0], [0.5, nan], [0.5, inf], [-0.1, 0.5], [[0.5]], [], 0.5, "high"),
            "fraction": FRACTION,
        },
    ),
    "metrics.spike_counts": (
        {"output": RASTER},
        {"output": SPIKES, "dt": POSITIVE, "amplitude": POSITIVE},
    ),
    "metrics.spikes_per_inference": (
        {"counts": {"a": [[1, 2]], "b": [[3]]}},
        {"counts": (*({"a": [x]} for x in COUNTS), {"a": [[1]], "b": [[1], [2]]}, {}, [[1]], None)},
    ),
    "metrics.firing_rate": (
        {"n_spikes": [3, 4], "n_neurons": 2, "window": 0.1},
        {"n_spikes": (-5, *COUNTS, [], None), "n_neurons": COUNT, "window": POSITIVE},
    ),
    "metrics.selectivity": ({"highlighted": [True]}, {"highlighted": ([], [1, 0], [nan], "all")}),
    "metrics.fraction_removed": (
        {"sent": [[1, 0]], "all_spikes": [[1, 1]]},
        {
            "sent": ([[1, nan]], [[inf, 0]], 3, "all", None),
            "all_spikes": ([[1, nan]], [[0, 0]], [], 3, "all", None),
        },
    ),
    "metrics.spike_agreement": (
        {"a": RASTER, "b": RASTER},
        {
            "a": (*SPIKES, Beside("b", RASTER[:5])),
            "b": (*SPIKES, RASTER[:5]),
            "within": (-1, 0.5, nan, True, "one"),
        },
    ),
    "phases.wrap": ({"phase": [1.5, nan]}, {"phase": PHASES}),
    "phases.difference": ({"a": [0.1, nan], "b": [0.2, 0.3]}, TWO_PHASES),
    "phases.to_complex": ({"phase": [0.1, nan]}, {"phase": PHASES}),
    "phases.from_complex": ({"z": [1j, 0]}, {"z": (*NUMBERS, [complex(nan, 1)])}),
    "phases.to_rows": ({"phase": [0.1, nan]}, {"phase": (*PHASES, 0.5)}),
    "phases.from_rows": ({"rows": [1, 0]}, {"rows": (*NUMBERS, 0.5, [1, 0, 1])}),
    "phases.circular_mean": (
        {"phases": [0.1, nan]},
        {
            "phases": PHASES,
            "axis": (1, 0.5, "first", (0, 3), True),
            "weights": ([1, nan], [1, inf], [1, 2, 3], "w"),
        },
    ),
    "phases.steps_per_cycle": ({"frequency": 10, "dt": 0.001}, RHYTHM),
    "phases.to_times": (
        {"phase": [0.1, nan], "frequency": 10, "n_cycles": 2},
        {**REPEATED, "t0": NUMBER},
    ),
    "phases.from_times": (
        {"times": [0.1, nan], "frequency": 10},
        {"times": PHASES, "frequency": POSITIVE, "t0": NUMBER},
    ),
    "phases.to_steps": (
        {"phase": [0.1, nan], "frequency": 10, "n_cycles": 2, "dt": 0.001},
        {**REPEATED, **RHYTHM},
    ),
    "phases.to_raster": (
        {"phase": [0.1, nan], "frequency": 10, "n_cycles": 2, "dt": 0.001},
        {**REPEATED, **RHYTHM, "phase": (*PHASES, 0.5)},
    ),
    "phases.from_raster": (
        {"raster": RASTER, "frequency": 250, "dt": 0.001},
        {
            "raster": (*SPIKES, RASTER[:3], RASTER + 1),
            **RHYTHM,
            "n_cycles": (*COUNT, Beside("raster", TOO_MANY)),
            "t0": (-0.1, *NUMBER),
            "missing": (inf, "none", [0.0, 1.0], True, None),
        },
    ),
    "phases.from_reference": (
        {
            "raster": RASTER,
            "reference": RASTER[..., :1],
            "frequency": 250,
            "dt": 0.001,
            "n_cycles": 1,
        },
        {
            "raster": SPIKES,
            "reference": (*SPIKES, RASTER[..., :0], RASTER[:3, :1]),
            **RHYTHM,
            "n_cycles": COUNT,
            "missing": (inf, "none", [0.0, 1.0], True, None),
        },
    ),
    "pooling.MaxPool": ({"input_shape": (4, 4, 1)}, MAX_POOL),
    "pooling.MaxPool.pool": (
        {"x": np.ones(16)},
        {"x": (np.ones(15), np.full(16, nan), 1.0, np.ones(16, bool), "image", None)},
    ),
    "pooling.average_pool": ({"input_shape": (4, 4, 1)}, MAX_POOL),
    "schedules.Schedule": (
        {"sigma_0": 0.1, "n_epochs": 3},
        {"sigma_0": (-1, *NUMBER), "n_epochs": (*(x for x in COUNT if x != 10**30), None)},
    ),
    "schedules.Schedule.__call__": (
        {"epoch": 1},
        {"epoch": (*(Beside("n_epochs", x) for x in (0, 4)), *COUNT[1:], None)},
    ),
    "schedules.included": (
        {"epoch": 1, "n_epochs": 3},
        {"epoch": (*COUNT, 4, None), "n_epochs": (*COUNT, None)},
    ),
    "vsa.random": (
        {"n": 2, "dimensions": 3},
        {
            "n": (*COUNT, Beside("dimensions", TOO_MANY)),
            "dimensions": (*COUNT, TOO_MANY),
            "seed": (-1, 0.5, True, "1"),
        },
    ),
    "vsa.identity": ({"dimensions": 3}, {"dimensions": (*COUNT, TOO_MANY)}),
    "vsa.inverse": ({"a": [0.1, nan]}, {"a": PHASES}),
    "vsa.bind": ({"a": [0.1, nan], "b": [0.2, 0.3]}, TWO_PHASES),
    "vsa.unbind": (
        {"c": [0.1, nan], "a": [0.2, 0.3]},
        {"c": PHASES, "a": (*PHASES, [0.1, 0.2, 0.3])},
    ),
    "vsa.power": ({"a": [0.1, nan], "exponent": 0.5}, {"a": PHASES, "exponent": NUMBERS}),
    "vsa.bundle": (
        {"symbols": [[0.1, nan], [0.3, 0.4]]},
        {
            "symbols": (*PHASES, Beside("axis", 0.5)),
            "axis": (2, 0.5, "first", True),
            "weights": ([1, nan], [1, inf], [1, 2, 3], "w"),
        },
    ),
    "vsa.similarity": (
        {"a": [0.1, nan], "b": [0.2, 0.3]},
        {"a": (*PHASES, 0.5), "b": (*TWO_PHASES["b"], 0.5)},
    ),
    "vsa.to_vector": ({"phase": [0.1, nan]}, {"phase": (*PHASES, 0.5, [])}),
    "vsa.from_vector": ({"vector": [1, 0]}, {"vector": (*NUMBERS, 0.5, [1, 0, 1])}),
}

DIMENSIONS = (*COUNT, TOO_MANY, None)
V = {"v": [0.1, 0.2, 0.3, 0.4]}

SPA_TABLE = {
    "create_vector": (
        {"d": 4, "properties": {"unitary"}},
        {"d": DIMENSIONS, "properties": ({"odd"},), "rng": (3, np.random.default_rng())},
    ),
    "make_unitary": (V, {"v": VECTOR}),
    "superpose": ({"a": V["v"], "b": V["v"]}, {"a": OTHER_LENGTH, "b": OTHER_LENGTH}),
    "bind": ({"a": V["v"], "b": V["v"]}, {"a": OTHER_LENGTH, "b": OTHER_LENGTH}),
    "binding_power": ({**V, "exponent": 0.5}, {"v": VECTOR, "exponent": NUMBER}),
    "invert": (V, {"v": VECTOR}),
    "get_binding_matrix": (V, {"v": VECTOR}),
    "get_inversion_matrix": ({"d": 4}, {"d": (*COUNT, 10**7)}),
    "implement_superposition": (
        {"n_neurons_per_d": 5, "d": 4, "n": 2},
        {"n_neurons_per_d": COUNT, "d": DIMENSIONS, "n": COUNT},
    ),
    "implement_binding": (
        {"n_neurons_per_d": 5, "d": 4, "unbind_left": False, "unbind_right": True},
        {
            "n_neurons_per_d": COUNT,
            "d": (*COUNT, 10**7),
            "unbind_left": (None, 1),
            "unbind_right": (None, 1),
        },
    ),
    "sign": (V, {"v": VECTOR}),
    "abs": (V, {"v": VECTOR}),
    "identity_element": ({"d": 4}, {"d": DIMENSIONS}),
    "negative_identity_element": ({"d": 4}, {"d": DIMENSIONS}),
    "zero_element": ({"d": 4}, {"d": DIMENSIONS}),
}

OWNERS = {
    "arousal.Arousal": AROUSAL,
    "pooling.MaxPool": pooling.MaxPool((4, 4, 1)),
    "schedules.Schedule": schedules.Linear(0.1, 3),
}

EXCUSED = {
    "pooling.MaxPool.make_step": "called by Nengo's builder alone; test_pooling has its error",
    "schedules.Schedule.shape": "what a subclass provides; called once the epoch is checked",
    "spa.FhrrAlgebra.is_valid_dimensionality": "says whether an argument is right",
    "spa.FhrrAlgebra.absorbing_element": "always raises",
}

WITHOUT_EFFECT = {"sidedness", "swap_inputs"}
"""Arguments that NengoSPA passes and FHRR has no use for."""


def found(place):
    """Return the function or method of a place in the table."""
    module, *names = place.split(".")
    if len(names) == 2:
        return getattr(OWNERS[f"{module}.{names[0]}"], names[1])
    return getattr(import_module(f"nengo_phasor.{module}"), names[0])


def places(module):
    """Yield where the public functions, classes and methods of a module are; no records."""
    name = module.__name__.rpartition(".")[2]
    for key, obj in vars(module).items():
        if key.startswith("_") or getattr(obj, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(obj):
            yield f"{name}.{key}"
        elif not dataclasses.is_dataclass(obj) and not issubclass(obj, tuple):
            # a subclass without an own constructor takes what its parent takes
            if "__init__" in vars(obj):
                yield f"{name}.{key}"
            for method, function in vars(obj).items():
                if inspect.isfunction(function) and (method[0] != "_" or method == "__call__"):
                    parent = next(c for c in reversed(obj.__mro__) if method in vars(c))
                    owner = parent if parent.__module__ == module.__name__ else obj
                    yield f"{name}.{owner.__name__}.{method}"


@pytest.mark.parametrize(
    "module", [arousal, datasets, energy, metrics, phases, pooling, schedules, vsa]
)
def test_every_public_function_and_argument_is_in_the_table(module):
    for place in set(places(module)) - EXCUSED.keys():
        assert place in TABLE, f"{place} has no entry: say what it refuses"
        assert set(TABLE[place][1]) == set(inspect.signature(found(place)).parameters), place


def test_nothing_is_excused_that_is_not_there():
    spa = pytest.importorskip("nengo_phasor.spa")
    there = {place for m in (pooling, schedules, spa) for place in places(m)}
    assert there >= EXCUSED.keys()


REFUSED = [
    pytest.param(place, {**(good or {}), argument: given}, named, id=f"{place}-{argument}-{k}")
    for place, (good, bad) in TABLE.items()
    for argument, values in bad.items()
    for k, value in enumerate(values)
    for named, given in [value if isinstance(value, Beside) else (argument, value)]
]


@pytest.mark.parametrize("place", [place for place, (good, _) in TABLE.items() if good is not None])
def test_what_is_right_is_taken(place):
    found(place)(**TABLE[place][0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("place", "arguments", "named"), REFUSED)
def test_nonsense_is_refused(place, arguments, named):
    """At once, by an error that says what was given as what."""
    with pytest.raises(ValidationError, match=rf"\b{named}(\[.*\])?: "):
        found(place)(**arguments)


def spa_cases():
    return [
        pytest.param(name, {**good, argument: value}, id=f"{name}-{argument}-{k}")
        for name, (good, bad) in SPA_TABLE.items()
        for argument, values in bad.items()
        for k, value in enumerate(values)
    ]


@pytest.fixture
def algebra():
    return pytest.importorskip("nengo_phasor.spa").FhrrAlgebra()


def test_every_method_of_the_algebra_is_in_the_table(algebra):
    for place in places(import_module("nengo_phasor.spa")):
        name = place.rpartition(".")[2]
        if place in EXCUSED or "FhrrAlgebra." not in place:
            continue
        assert name in SPA_TABLE, f"{place} has no entry: say what it refuses"
        parameters = inspect.signature(getattr(algebra, name)).parameters.keys() - WITHOUT_EFFECT
        assert set(SPA_TABLE[name][1]) == parameters, place


@pytest.mark.parametrize("name", SPA_TABLE)
def test_the_algebra_takes_what_is_right(algebra, name):
    with nengo.Network():
        getattr(algebra, name)(**SPA_TABLE[name][0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "arguments"), spa_cases())
def test_the_algebra_refuses_nonsense(algebra, name, arguments):
    """With a ValueError, as NengoSPA's algebras; ours name the argument."""
    with pytest.raises(ValueError, match=r"\S"):
        getattr(algebra, name)(**arguments)
