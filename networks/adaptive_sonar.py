"""Adaptive spiking neurons tell mines from rocks by sonar: 60 energies (Zambrano et al. 2017).

\b
python networks/adaptive_sonar.py results    cross-validate, and write the committed figures
nengo networks/adaptive_sonar.py             Nengo GUI, from committed weights

"""

from adaptive_tables import Table, command_line, gui_model

TABLE = Table("sonar", hidden=(64,), epochs=150, learning_rate=0.03, weight_decay=0.01)
"""The size of the paper's hidden layer is lost."""

main = command_line(TABLE, __doc__)

if __name__ == "__main__":
    main()
elif TABLE.params.exists():
    model = gui_model(TABLE)
