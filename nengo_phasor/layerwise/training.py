"""How users train in `.layerwise`: the interface of `nengo_dl.Simulator`, by Keras."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile

import nengo
import numpy as np
from nengo.exceptions import SimulationError, SimulatorClosed, ValidationError

from nengo_phasor import atomic, compat
from nengo_phasor.layerwise import parameters
from nengo_phasor.layerwise.feedforward import Parts
from nengo_phasor.layerwise.parameters import nengo_params, value_of
from nengo_phasor.layerwise.recorded import SimulationData

compat.prefer_keras_2()


class Training:
    """The part of `.Simulator` that trains.

    Losses, metrics, optimisers and callbacks are Keras'. What runs forward and back is compiled,
    event by event where there are few spikes: training costs what the spikes cost. TensorFlow is
    imported by `compile` and not before.
    """

    network: nengo.Network
    model: nengo.builder.Model
    data: SimulationData
    closed: bool
    _parts: Parts
    _learner: Any = None

    def compile(self, optimizer: Any = "rmsprop", loss=None, metrics=None, loss_weights=None):
        """Choose what training minimises, and how.

        Parameters
        ----------
        optimizer : str or tf.keras.optimizers.Optimizer
            Keras' optimiser.
        loss : loss, or {nengo.Probe: loss}
            What to minimise, a Keras loss of what each probe sees, (n_items, n_steps, n). One loss
            stands for all probes.
        metrics : {nengo.Probe: metric or list of metrics}, optional
            What to tell besides.
        loss_weights : {nengo.Probe: float}, optional
            Weights of the losses.

        Raises
        ------
        nengo.exceptions.BuildError
            If there is anything between what trains and these probes that has no derivative. The
            message names the object, and what to do.
        nengo.exceptions.ValidationError
            If there is no loss, or a probe is of another network, or nothing trains, or if Keras
            does not know the optimizer, a loss or a metric.
        """
        self._check_open()
        compat.require("tensorflow")
        compat.use_keras_2()
        from nengo_phasor.layerwise.keras import Learner

        given = {
            "loss": loss if isinstance(loss, Mapping) else dict.fromkeys(self._probes(loss), loss),
            "metrics": metrics or {},
            "loss_weights": loss_weights or {},
        }
        if not given["loss"]:
            raise ValidationError("is missing: there is nothing to minimise", "loss", self)
        for attr, by_probe in given.items():
            self._check_probes(by_probe, attr)
        self._learner = Learner(self, optimizer, **given)
        self.data.changed = lambda obj, built: parameters.as_built(self.parts, obj, built)

    def _check_open(self):
        if self.closed:
            raise SimulatorClosed(f"{self} is closed: make another simulator to run again")

    def _probes(self, loss):
        return [] if loss is None else self.network.all_probes

    def _check_probes(self, by_probe, attr):
        if not isinstance(by_probe, Mapping):
            raise ValidationError(f"must be {{probe: ...}}, got {by_probe!r}", attr, self)
        for probe in by_probe:
            if probe not in self.network.all_probes:
                raise ValidationError(f"is for {probe}, which is not one of its probes", attr, self)

    @property
    def _trainer(self):
        self._check_open()
        if self._learner is None:
            raise SimulationError("nothing says what to minimise: call compile(...) first")
        return self._learner

    @property
    def keras_model(self):
        """The Keras model that trains: its ``optimizer``, ``trainable_variables``, ``weights``."""
        return self._trainer.model

    @property
    def parameters(self) -> list:
        """What trains, in the order of the Keras model's variables: pairs of object and name."""
        return self._trainer.parameters

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        truncation: int | None = None,
        checkpoint: int | None = None,
        **kwargs: Any,
    ):
        """Train; return Keras' history.

        Parameters
        ----------
        x : {nengo.Node: (n_items, n_steps or 1, n) array_like}, or what Keras takes
            Outputs of nodes without input. A single step stands for a constant. Also a
            `tf.keras.utils.Sequence` or a generator of batches (x, y) whose keys are the names of
            `get_name`, and where ``x["n_steps"]`` may say how long a constant lasts.
        y : {nengo.Probe: (n_items, n_steps, n) array_like}
            Targets of the losses.
        n_steps : int, optional
            Length of the window. By default the data's.
        truncation : int, optional
            Number of steps after which gradients are applied, and go no further back in time.
        checkpoint : int, optional
            Number of steps whose currents and states are kept at a time. The way back runs the
            others again: a third more time, and a fraction of the memory, in long windows.
        **kwargs
            Of `tf.keras.Model.fit`. By default batches are of minibatch_size items.

        Raises
        ------
        nengo.exceptions.SimulationError
            If it was not compiled, or if a gradient is no finite number: the weights are then those
            before that batch.
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            If the data or targets are of the wrong shape or type, or not finite, or for an object
            that takes none, or if there are none for a probe that has a loss or metric; if a number
            of items, epochs or steps is none.
        """
        return self._trainer.fit(x, y, n_steps, truncation, checkpoint, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, n_steps: int | None = None, **kwargs: Any):
        """Return {name: value} of the losses and metrics. Spiking neurons spike.

        Parameters and errors are those of `fit`.
        """
        return self._trainer.evaluate(x, y, n_steps, **kwargs)

    def get_name(self, obj: nengo.Node | nengo.Probe) -> str:
        """Return the name by which Keras knows a node or probe; its history has "NAME_loss".

        Raises
        ------
        nengo.exceptions.ValidationError
            If obj is neither a probe nor a node without input of the network.
        """
        names = parameters.names(self.network)
        if obj not in names:
            raise ValidationError(
                f"must be a probe or a node without input of the network, got {obj}", "obj", self
            )
        return names[obj]

    # ------------------------------------------------------------------------------- parameters

    @property
    def parts(self) -> Parts:
        """What runs the network, with what was trained."""
        if self._learner is None:
            return self._parts
        return self._parts.with_values(self._learner.values)

    def get_nengo_params(self, nengo_objs, as_dict: bool = False):
        """Return arguments with which Nengo builds objects as they are now.

        Parameters
        ----------
        nengo_objs : nengo.Ensemble or nengo.Connection, or list of these
            The objects.
        as_dict : bool
            Whether to return them by label, in place of a list.

        Returns
        -------
        dict, or list or dict of dicts

        Raises
        ------
        nengo.exceptions.ValidationError
            If there is anything else in nengo_objs, or an object of another network.
        """
        several = isinstance(nengo_objs, list | tuple)
        objs = nengo_objs if several else [nengo_objs]
        found = [nengo_params(self.parts, self.model, obj) for obj in objs]
        if as_dict:
            labels = [obj.label for obj in objs]
            if len(set(labels)) < len(labels):
                raise ValidationError(
                    f"have the same labels: {labels}", attr="nengo_objs", obj=self
                )
            return dict(zip(labels, found, strict=True))
        return found if several else found[0]

    def freeze_params(self, objs) -> None:
        """Write what was trained into the network's objects, for any other simulator to run.

        Parameters
        ----------
        objs : nengo.Network, nengo.Ensemble or nengo.Connection, or list of these
            All the ensembles and connections of a network, or some.

        Raises
        ------
        nengo.exceptions.ValidationError
            If there is anything else in objs, or an object of another network.
        """
        for obj in objs if isinstance(objs, list | tuple) else [objs]:
            network = isinstance(obj, nengo.Network)
            for part in [*obj.all_ensembles, *obj.all_connections] if network else [obj]:
                for name, value in self.get_nengo_params(part).items():
                    setattr(part, name, value)

    def save_params(self, path: str | os.PathLike) -> None:
        """Write what trains to a file of NumPy arrays, path.npz."""
        values = [value_of(self.parts, p) for p in self.parameters]
        with atomic.replacing(f"{os.fspath(path)}.npz") as place, open(place, "wb") as file:
            np.savez_compressed(file, *values)

    def load_params(self, path: str | os.PathLike) -> None:
        """Read what `save_params` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        nengo.exceptions.SimulationError
            If the file is damaged, or of another network, or if it was not compiled.
        """
        trainer, place = self._trainer, f"{os.fspath(path)}.npz"
        try:
            with np.load(place) as file:
                values = [file[name] for name in file.files]
        except (ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise SimulationError(
                f"{place} was not written by save_params, or is damaged: {error}"
            ) from error
        trainer.load(values, path)
