"""Adaptive spiking neurons tell irises apart: 4 lengths, 3 classes (Zambrano et al. 2017).

\b
python networks/adaptive_iris.py results    cross-validate, and write the committed figures
nengo networks/adaptive_iris.py             Nengo GUI, from committed weights

"""

from adaptive_tables import Table, command_line, gui_model

TABLE = Table("iris", hidden=(32,), epochs=300, learning_rate=0.01)
"""The size of the paper's hidden layer is lost."""

main = command_line(TABLE, __doc__)

if __name__ == "__main__":
    main()
elif TABLE.params.exists():
    model = gui_model(TABLE)
