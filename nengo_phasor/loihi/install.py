"""Patches nengo-loihi where it offers no extension point.

Each function does the same as the function that it replaces, except for our neurons and synapses.
"""

from __future__ import annotations

import inspect
from functools import partial, wraps

import nengo
import nengo_loihi
from nengo.exceptions import BuildError
from nengo.neurons import NeuronType
from nengo_loihi import passthrough, simulator, splitter
from nengo_loihi.builder import Builder, connection, discretize, split_blocks
from nengo_loihi.emulator import interface
from nengo_loihi.hardware import HAS_NXSDK

from nengo_phasor.loihi import builders, emulator, placement
from nengo_phasor.loihi.compartments import STATE_KEY, NeuronCompartment
from nengo_phasor.loihi.tables import STOCK, compartments_of


def split_block(stock, block, *args, **kwargs):
    """Split a block, and our compartments among its parts."""
    parts = stock(block, *args, **kwargs)
    if isinstance(block.compartment, NeuronCompartment):
        for part, indices in parts.items():
            if part is not block:
                part.compartment = block.compartment.part(list(indices))
    return parts


def split_axon(stock, axon, *args, **kwargs):
    """Split an axon, whose parts keep the same route."""
    parts = stock(axon, *args, **kwargs)
    for part in parts:
        part.route = getattr(axon, "route", None)
    return parts


def discretize_block(stock, block):
    """Discretise a block; our compartments have a method for it."""
    if not isinstance(block.compartment, NeuronCompartment):
        return stock(block)
    info = block.compartment.discretize(block)
    for synapse in block.synapses:
        discretize.discretize_synapse(synapse, info["w_max"], info["w_scale"], info["w_exp"])
    return info["v_scale"]


def discretize_probe(stock, probe, i, v_scale):
    """Discretise a probe; our neurons' states have the scale of their voltage."""
    if probe.key.startswith(STATE_KEY):
        probe.weights[i] = probe.weights[i] / v_scale
    else:
        stock(probe, i, v_scale)


def make_emulator(stock, model, **kwargs):
    """Return the emulator that a model needs."""
    ours = any(isinstance(block.compartment, NeuronCompartment) for block in model.blocks)
    routed = any(getattr(axon, "route", None) for block in model.blocks for axon in block.axons)
    return (emulator.EmulatorInterface if ours or routed else stock)(model, **kwargs)


def start_simulator(stock, sim, *args, **kwargs):
    """Build a simulator, unless it would run our neurons on a chip that does not have them."""
    called = inspect.signature(stock).bind(sim, *args, **kwargs).arguments
    sim.closed = True  # for __del__, if building fails
    target = called.get("target") or ("loihi" if HAS_NXSDK else "sim")
    network = called.get("network")
    if target == "loihi" and network is not None:
        nengo_loihi.add_params(network)
        for ensemble in network.all_ensembles:
            name = type(ensemble.neuron_type).__name__
            on_chip = network.config[ensemble].on_chip is not False
            if compartments_of(ensemble.neuron_type) and on_chip:
                raise BuildError(
                    f"{ensemble}: {name} neurons do not exist on Loihi 1, the target 'loihi'. Run "
                    "them on the emulator with target='sim', or on the host with "
                    "network.config[ensemble].on_chip = False"
                )
    stock(sim, *args, **kwargs)


REPLACED = (
    (split_blocks, "split_block", split_block),
    (split_blocks, "split_axon", split_axon),
    (discretize, "discretize_block", discretize_block),
    (discretize, "discretize_probe", discretize_probe),
    (splitter.HostChipSplit, "_place_ensembles", placement.place_ensembles),
    (passthrough.PassthroughSplit, "_split_cluster", placement.split_cluster),
    (passthrough.Cluster, "generate_conns", placement.generate_conns),
    (passthrough.Cluster, "merge_transforms", placement.merge_transforms),
    (simulator, "EmulatorInterface", make_emulator),
    (simulator.Simulator, "__init__", start_simulator),
)


RELIED_ON = (
    (connection, "_inherit_config", "_inherit_seed"),
    (passthrough.PassthroughSplit, "_already_split", "_split_cluster"),
    (splitter.HostChipSplit, "_place_ensembles"),
    (interface.CompartmentState, "_overflow"),
    (simulator.Simulator, "_n_steps", "_runner", "_time"),
)
"""The private names of nengo-loihi that we use, which a release may change without notice."""


def _in_place_of(stock, function):
    @wraps(stock)
    def replacement(*args, **kwargs):
        return function(stock, *args, **kwargs)

    return replacement


def install() -> None:
    """Replace functions and builders of nengo-loihi by ours."""
    Builder.builders[nengo.Connection] = builders.build_connection
    Builder.builders[nengo.Probe] = builders.build_probe
    for cls in (NeuronType, *STOCK):
        Builder.builders[cls] = partial(builders.build_neurons, Builder.builders[cls])
    for place, name, function in REPLACED:
        setattr(place, name, _in_place_of(getattr(place, name), function))
