"""NengoDL's tables of the builders of types, extended by registration and by inheritance.

NengoDL looks up neuron types by their exact class, and processes (including synapses) by
isinstance, so that a subclass that overrides its step would run like its parent. Here the method
resolution order decides, and the builder of a parent runs a subclass only if the subclass has the
parent's step.

Importing this module replaces NengoDL's lookup.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from nengo.base import Process
from nengo.exceptions import BuildError
from nengo.neurons import NeuronType
from nengo_dl.builder import OpBuilder
from nengo_dl.neuron_builders import GenericNeuronBuilder, SimNeuronsBuilder
from nengo_dl.process_builders import GenericProcessBuilder, SimProcessBuilder

from nengo_phasor.checks import check_subclass
from nengo_phasor.inheritance import keeps, nearest


@dataclass(frozen=True)
class Table:
    """One of NengoDL's tables of builders.

    ``builders`` are the builders of registered types; ``generic`` runs all other types in Python.
    ``step`` is the name of the method that a builder reimplements. ``dispatcher`` is NengoDL's
    builder of the operators. ``kind`` is the name of an operator's attribute that holds the object,
    and ``built`` that of the dispatcher's attribute that holds the object's builder. Operators of
    two objects are merged if ``merged`` returns True for the objects; for its own builders NengoDL
    decides.
    """

    builders: dict[type, type[OpBuilder]]
    generic: type[OpBuilder]
    step: str
    dispatcher: type[OpBuilder]
    kind: str
    built: str
    merged: Callable[[object, object], bool]

    def builder_of(self, cls: type) -> type[OpBuilder]:
        """Return the builder of a class's nearest registered parent.

        If the class overrides the step of that parent, the builder does not apply. Python then runs
        the class, as it does if no type is registered.
        """
        parent = nearest(cls, self.builders)
        if parent is None or not keeps(cls, parent, self.step):
            return self.generic
        return self.builders[parent]

    def install(self) -> None:
        """Make NengoDL look up builders in this table."""
        stock = self.dispatcher.mergeable

        def init(builder, ops):
            OpBuilder.__init__(builder, ops)
            cls = type(getattr(ops[0], self.kind))
            found = self.builder_of(cls)
            if found is GenericNeuronBuilder:
                _check_python_can_run(cls, ops)
            setattr(builder, self.built, found(ops))

        def mergeable(x, y):
            a, b = getattr(x, self.kind), getattr(y, self.kind)
            found = self.builder_of(type(a))
            if found is not self.builder_of(type(b)):
                return False
            if found is self.generic:
                return type(a) is type(b)
            is_stock = found.__module__.partition(".")[0] == "nengo_dl"
            return stock(x, y) if is_stock else self.merged(a, b)

        self.dispatcher.__init__ = init
        self.dispatcher.mergeable = staticmethod(mergeable)


NEURONS = Table(
    SimNeuronsBuilder.TF_NEURON_IMPL,
    GenericNeuronBuilder,
    "step",
    SimNeuronsBuilder,
    "neurons",
    "built_neurons",
    merged=lambda a, b: a == b,
)
PROCESSES = Table(
    SimProcessBuilder.TF_PROCESS_IMPL,
    GenericProcessBuilder,
    "make_step",
    SimProcessBuilder,
    "process",
    "built_process",
    merged=lambda a, b: False,
)

for _table in (NEURONS, PROCESSES):
    _table.install()


def register(cls: type, builder: type[OpBuilder]) -> None:
    """Register a NengoDL builder for a type of neurons, synapses or other processes.

    The builder also runs subclasses that do not override the type's ``step`` (neurons) or
    ``make_step`` (synapses and other processes). NengoDL merges the operators of equal neurons, so
    the builder may take its constants from the first operator. It does not merge operators of
    processes. A `nengo_phasor.synapses.SpikeSynapse` needs no builder, because its ``advance`` runs
    in TensorFlow unchanged.

    Parameters
    ----------
    cls : type
        A subclass of `nengo.neurons.NeuronType` or of `nengo.Process`. If the type already has a
        builder, it is replaced.
    builder : type
        A subclass of ``nengo_dl.neuron_builders.TFNeuronBuilder`` for neurons, otherwise of
        ``nengo_dl.builder.OpBuilder``.

    Raises
    ------
    nengo.exceptions.ValidationError
        If either is not a class as described.
    """
    check_subclass(cls, "cls", NeuronType, Process)
    check_subclass(builder, "builder", OpBuilder)
    table = NEURONS if issubclass(cls, NeuronType) else PROCESSES
    table.builders[cls] = builder


def _check_python_can_run(cls, ops):
    """Warn that neurons run in Python; reject states that NengoDL does not support."""
    name = cls.__name__
    register_it = f"nengo_phasor.dl.register({name}, builder)"
    single = [name for name, signal in ops[0].state.items() if not signal.shape]
    for state in (*ops[0].state_extra, *single):
        raise BuildError(
            f"{name} neurons have the state {state!r}, which is not an array, so NengoDL can't run "
            f"their step in Python: register a TensorFlow builder with {register_it}"
        )
    warnings.warn(
        f"{name} does not have a native TensorFlow implementation; falling back to its step in "
        f"Python, which is slow and has no gradient. Register a builder with {register_it}",
        stacklevel=3,
    )
