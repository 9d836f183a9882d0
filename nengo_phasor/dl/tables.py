"""Which builder runs a type in TensorFlow: NengoDL's tables, open, and looked up by inheritance.

NengoDL looks neuron types up exactly as they are, and processes (synapses are processes) by
isinstance, so that a subclass with a step of its own ran as its parent. Here the method resolution
order decides, and a parent's builder runs a subclass only if that has the parent's step.

Importing this module replaces NengoDL's look-up.
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
    """One of NengoDL's tables.

    ``builders`` are those of registered types, ``generic`` runs all others in Python.
    ``step`` names the method that a builder does the same as. ``dispatcher`` is NengoDL's builder
    of the operators, whose attribute ``kind`` is the object, and which keeps the object's builder
    as ``built``. Operators of two objects are merged if ``merged`` says so of the objects; NengoDL
    knows best which of its own builders' are.
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

        If the class has another step than that parent, the builder does not know it: then Python
        runs the class, as it does where no type is registered.
        """
        parent = nearest(cls, self.builders)
        if parent is None or not keeps(cls, parent, self.step):
            return self.generic
        return self.builders[parent]

    def install(self) -> None:
        """Let NengoDL look builders up here."""
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
    """Have NengoDL run a type of neurons, synapses or other processes by a builder.

    It also runs the subclasses that keep the type's ``step`` (neurons) or ``make_step`` (synapses
    and other processes). NengoDL merges the operators of equal neurons into one, so the builder may
    take its constants from the first; operators of processes it does not merge. A
    `nengo_phasor.synapses.SpikeSynapse` needs no builder: its ``advance`` is run as it is.

    Parameters
    ----------
    cls : type
        A subclass of `nengo.neurons.NeuronType` or of `nengo.Process`. A type that has a
        builder gets another one.
    builder : type
        For neurons a subclass of ``nengo_dl.neuron_builders.TFNeuronBuilder``, else of
        ``nengo_dl.builder.OpBuilder``.

    Raises
    ------
    nengo.exceptions.ValidationError
        If either is not such a class.
    """
    check_subclass(cls, "cls", NeuronType, Process)
    check_subclass(builder, "builder", OpBuilder)
    table = NEURONS if issubclass(cls, NeuronType) else PROCESSES
    table.builders[cls] = builder


def _check_python_can_run(cls, ops):
    """Warn that neurons run in Python; refuse those with a state that NengoDL does not hand on."""
    name = cls.__name__
    register_it = f"nengo_phasor.dl.register({name}, builder)"
    single = [name for name, signal in ops[0].state.items() if not signal.shape]
    for state in (*ops[0].state_extra, *single):
        raise BuildError(
            f"{name} neurons have the state {state!r}, which is not an array, so NengoDL can't run "
            f"their step in Python: give it a TensorFlow builder with {register_it}"
        )
    warnings.warn(
        f"{name} does not have a native TensorFlow implementation; falling back to its own step in "
        f"Python, slowly and without a gradient. {register_it} gives it one",
        stacklevel=3,
    )
