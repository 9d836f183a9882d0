"""Training in `.layerwise` for users: the interface of `nengo_dl.Simulator`, with Keras."""

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

    Losses, metrics, optimisers and callbacks are those of Keras. The forward and backward passes
    are compiled and process single events where there are few spikes, so the cost of training
    depends on the number of spikes. Only `compile` imports TensorFlow.
    """

    network: nengo.Network
    model: nengo.builder.Model
    data: SimulationData
    closed: bool
    _parts: Parts
    _learner: Any = None

    def compile(self, optimizer: Any = "rmsprop", loss=None, metrics=None, loss_weights=None):
        """Choose the losses that training minimises, and the optimiser.

        Parameters
        ----------
        optimizer : str or tf.keras.optimizers.Optimizer
            The Keras optimiser, or its name.
        loss : loss, or {nengo.Probe: loss}
            The Keras loss of the values that each probe records, of shape (n_items, n_steps, n).
            A single loss applies to all probes.
        metrics : {nengo.Probe: metric or list of metrics}, optional
            The Keras metrics to report in addition.
        loss_weights : {nengo.Probe: float}, optional
            The weights of the losses.

        Raises
        ------
        nengo.exceptions.BuildError
            If anything between a trained parameter and these probes has no derivative. The
            message names the object and the remedy.
        nengo.exceptions.ValidationError
            If there is no loss, a probe belongs to another network, or nothing can be trained; or
            if Keras does not know the optimizer, a loss or a metric.
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
            raise SimulationError("the simulator is not compiled: call compile(...) first")
        return self._learner

    @property
    def keras_model(self):
        """The Keras model, with its ``optimizer``, ``trainable_variables`` and ``weights``."""
        return self._trainer.model

    @property
    def parameters(self) -> list:
        """The trained parameters, pairs of object and name, in the order of Keras' variables."""
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
        """Train the network, and return Keras' history.

        Parameters
        ----------
        x : {nengo.Node: (n_items, n_steps or 1, n) array_like}, or what Keras takes
            The outputs of nodes without input. A single step stands for a constant. Instead, a
            `tf.keras.utils.Sequence` or a generator can provide batches (x, y), whose keys are the
            names given by `get_name`; ``x["n_steps"]`` can set how long a constant lasts.
        y : {nengo.Probe: (n_items, n_steps, n) array_like}
            The targets of the losses.
        n_steps : int, optional
            The number of steps to run. By default, it is that of the data.
        truncation : int, optional
            The number of steps after which gradients are applied. Gradients go no further back in
            time than that.
        checkpoint : int, optional
            The number of steps whose currents and states are kept at a time. The backward pass
            computes the others again. In long windows, this takes a third more time and a fraction
            of the memory.
        **kwargs
            Arguments of `tf.keras.Model.fit`. By default, a batch has minibatch_size items.

        Raises
        ------
        nengo.exceptions.SimulationError
            If the simulator was not compiled, or if a gradient is not finite; the weights are then
            those from before that batch.
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            If the data or targets have a wrong shape or type or are not finite, if they are for an
            object that takes none, or if they are missing for a probe that has a loss or metric;
            or if a number of items, epochs or steps is not a positive integer.
        """
        return self._trainer.fit(x, y, n_steps, truncation, checkpoint, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, n_steps: int | None = None, **kwargs: Any):
        """Return the losses and metrics as {name: value}, computed with spiking neurons.

        The parameters and errors are those of `fit`.
        """
        return self._trainer.evaluate(x, y, n_steps, **kwargs)

    def get_name(self, obj: nengo.Node | nengo.Probe) -> str:
        """Return Keras' name of a node or probe, as in "NAME_loss" in its history.

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
        """The parts that run the network, with the trained parameters."""
        if self._learner is None:
            return self._parts
        return self._parts.with_values(self._learner.values)

    def get_nengo_params(self, nengo_objs, as_dict: bool = False):
        """Return the arguments with which Nengo builds objects that have the present parameters.

        Parameters
        ----------
        nengo_objs : nengo.Ensemble or nengo.Connection, or list of these
            The objects.
        as_dict : bool
            Whether to return a dict by label instead of a list.

        Returns
        -------
        dict, or list or dict of dicts
            The arguments of each object, by name.

        Raises
        ------
        nengo.exceptions.ValidationError
            If nengo_objs contains anything else, or an object of another network.
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
        """Write the trained parameters into the network's objects, for any simulator to use.

        Parameters
        ----------
        objs : nengo.Network, nengo.Ensemble or nengo.Connection, or list of these
            The objects to change; a network stands for all its ensembles and connections.

        Raises
        ------
        nengo.exceptions.ValidationError
            If objs contains anything else, or an object of another network.
        """
        for obj in objs if isinstance(objs, list | tuple) else [objs]:
            network = isinstance(obj, nengo.Network)
            for part in [*obj.all_ensembles, *obj.all_connections] if network else [obj]:
                for name, value in self.get_nengo_params(part).items():
                    setattr(part, name, value)

    def save_params(self, path: str | os.PathLike) -> None:
        """Save the trained parameters as NumPy arrays in the file path.npz."""
        values = [value_of(self.parts, p) for p in self.parameters]
        with atomic.replacing(f"{os.fspath(path)}.npz") as place, open(place, "wb") as file:
            np.savez_compressed(file, *values)

    def load_params(self, path: str | os.PathLike) -> None:
        """Load the parameters that `save_params` saved.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        nengo.exceptions.SimulationError
            If the file is damaged or belongs to another network, or if the simulator was not
            compiled.
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
