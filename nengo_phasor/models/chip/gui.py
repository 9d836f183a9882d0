"""Nengo GUI's model: the sparsified local-rhythms network, for either backend."""

from nengo_phasor.models.rhythms.gui import gui_model

__all__ = ["gui_model"]
