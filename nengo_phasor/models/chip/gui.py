"""What Nengo GUI opens: the local-rhythms network, sparsified, for either backend."""

from nengo_phasor.models.rhythms.gui import gui_model

__all__ = ["gui_model"]
