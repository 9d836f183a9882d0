"""Adaptive spiking neurons classify irises: 4 lengths, 3 classes (Zambrano et al. 2017).

\b
python networks/adaptive_iris.py results    cross-validate, and write the committed figures
python networks/adaptive_iris.py export     commit the weights of a run
nengo networks/adaptive_iris.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from nengo_phasor.models.adaptive.table_commands import command_line

main = command_line("iris", __doc__)
