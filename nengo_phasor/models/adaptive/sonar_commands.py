"""Adaptive spiking neurons distinguish mines from rocks by sonar (Zambrano et al. 2017).

\b
python networks/adaptive_sonar.py results    cross-validate, and write the committed figures
python networks/adaptive_sonar.py export     commit the weights of a run
nengo networks/adaptive_sonar.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from nengo_phasor.models.adaptive.table_commands import command_line

main = command_line("sonar", __doc__)
