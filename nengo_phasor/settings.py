"""Settings of a network's objects, by Nengo's configuration, for simulators that train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nengo
from nengo.config import Config
from nengo.exceptions import ConfigError, ValidationError
from nengo.params import BoolParam, Parameter

from nengo_phasor.checks import check_positive


class Units(Parameter):
    """A parameter that maps names to positive units, {str: float}."""

    def coerce(self, instance, value):
        """Return the mapping as a dict, if it is one."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ValidationError(
                f"must be {{parameter: unit}}, such as {{'frequency': 1.0}}, got {value!r}",
                attr=self.name,
                obj=instance,
            )
        for name, unit in value.items():
            check_positive(unit, f"{self.name}[{name!r}]", instance)
        return super().coerce(instance, dict(value))


def configure_settings(trainable: bool | None = None) -> None:
    """Configure what of a network is trained, as ``nengo_dl.configure_settings`` does.

    Call it within ``with net:``. Then ``net.config[obj].trainable = False`` (or True) applies to an
    object or to a class of objects: to the weights of a connection, to the encoders and biases of
    an ensemble, and to the biases of an ensemble's ``neurons``. By default, everything is trained.

    Parameters of neurons are not trained by default. To train them, set
    ``net.config[ensemble].neuron_parameters = {"frequency": 1.0}`` on an ensemble. Each parameter
    then becomes an array with one number for each neuron, which is trained in the given unit: with
    a unit of 2 Hz, an optimiser that changes weights by 0.01 changes the frequency by 0.02 Hz.
    Resonate-and-fire neurons train "frequency" (Hz) and "tau" (s), balanced ones "frequency" and
    "damping" (1/s).

    Parameters
    ----------
    trainable : bool, optional
        The default for all objects of the network and of its subnetworks.

    Raises
    ------
    nengo.exceptions.ConfigError
        If it is not called within a network.
    """
    config = Config.context[-1] if Config.context else None
    if config is None:
        raise ConfigError(
            "layerwise.configure_settings has no network to configure: call it in a `with net:`"
        )
    for cls in (nengo.Ensemble, nengo.Connection, nengo.ensemble.Neurons):
        if cls not in config.params:
            config.configures(cls)
        parameter = BoolParam("trainable", trainable, optional=True)
        config[cls].set_param("trainable", parameter)
    units = Units("neuron_parameters", None, optional=True)
    config[nengo.Ensemble].set_param("neuron_parameters", units)


def setting(configs: list[Config], obj: Any, name: str) -> Any:
    """Return the setting for an object in the innermost network that has one."""
    found = None
    for config in configs:
        try:
            own = getattr(config[obj], name, None)
        except ConfigError:  # the network has no settings for such objects
            continue
        found = found if own is None else own
    return found


def neuron_parameters(network: nengo.Network) -> dict[nengo.Ensemble, dict[str, float]]:
    """Return the neuron parameters of each ensemble that are configured to train, and their units.

    Raises
    ------
    nengo.exceptions.ValidationError
        If an ensemble's neurons have no such parameter.
    """
    found: dict[nengo.Ensemble, dict[str, float]] = {}
    _collect(found, [], network)
    return found


def _collect(found, above, network):
    configs = [*above, network.config]
    for subnet in network.networks:
        _collect(found, configs, subnet)
    for ensemble in network.ensembles:
        units = setting(configs, ensemble, "neuron_parameters")
        if units:
            found[ensemble] = units
            _check(ensemble, units)


def _check(ensemble, units):
    """Refuse parameters that the neurons don't have, or that don't train."""
    known = tuple(getattr(ensemble.neuron_type, "trained", ()))
    for name in units:
        if name not in known:
            has = f"train {', '.join(known)}" if known else "have no parameters that train"
            raise ValidationError(
                f"has {name!r} for {ensemble}, whose neurons, {ensemble.neuron_type}, {has}: set "
                "it on ensembles whose neurons have such a parameter",
                attr="neuron_parameters",
            )
