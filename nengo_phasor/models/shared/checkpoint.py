"""What training goes on from after it was killed, at whatever moment: one file, whole or not there.

The state of the network and of the optimiser is in the same file as what training has come to (the
epoch, the history), so that the two are always of the same moment, and a resumed training gives
bit for bit what one that was never stopped gives, if its batches follow from the seed and the
epoch alone. Keras' ``BackupAndRestore`` keeps the state but not the history, and only within one
call of ``fit``, where our trainings call it once an epoch for inputs that change; a
`tf.train.Checkpoint` is several files, and the history yet another, which need an order of writing
to be of the same moment. Neither makes this shorter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nengo.exceptions import NengoException

from nengo_phasor import datasets

FILE = "checkpoint.npz"
PROGRESS, ARRAY = "progress", "array "
"""In the file: the name of what training has come to, and what arrays' names begin with."""


class Checkpoint:
    """The file that keeps a training's state.

    Parameters
    ----------
    folder : path
        The run's. The file is ``checkpoint.npz``.
    variables : sequence of tf.Variable
        All that training changes, in an order that is the same whenever the training is set up:
        the network's and the optimiser's, which has to be built.

    Examples
    --------
    >>> checkpoint = Checkpoint(folder, variables)  # doctest: +SKIP
    ... history = checkpoint.restored(history=[])["history"]
    ... for epoch in range(len(history), n_epochs):
    ...     history.append(fit(epoch))
    ...     checkpoint.save(history=history)
    """

    def __init__(self, folder: Path, variables: Sequence):
        self.file, self.variables = Path(folder) / FILE, list(variables)

    @property
    def exists(self) -> bool:
        """Whether there is one to go on from."""
        return self.file.exists()

    def save(self, arrays: Mapping[str, np.ndarray] | None = None, **progress: Any) -> None:
        """Write the variables' values and what training has come to.

        Parameters
        ----------
        arrays : {str: ndarray}
            Such as the best weights so far.
        **progress
            What JSON knows: numbers, text, lists and dictionaries of them. They come back as they
            were, to the last bit.
        """
        datasets.save_params(
            self.file,
            **{PROGRESS: np.array(json.dumps(progress))},
            **{_variable(k): variable.numpy() for k, variable in enumerate(self.variables)},
            **{ARRAY + name: array for name, array in (arrays or {}).items()},
        )

    def restored(self, **start: Any) -> dict[str, Any]:
        """Set the variables to what was saved; return the progress, and the arrays as "arrays".

        Without a checkpoint, nothing is set, and ``start`` is returned, with no arrays.

        Raises
        ------
        nengo_phasor.datasets.DatasetError
            If the file is damaged, or is of another training, with what can be done.
        """
        if not self.exists:
            return {**start, "arrays": {}}
        try:
            progress, values, arrays = self._checked(start)
        except (NengoException, ValueError, TypeError, AttributeError) as error:
            raise datasets.DatasetError(
                f"{self.file} can't be gone on from ({error}): delete it to train from the start, "
                "or give another folder"
            ) from error
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        return {**progress, "arrays": arrays}

    def _checked(self, start: Mapping[str, Any]) -> tuple[dict, list, dict]:
        """Return progress, variables' values and arrays, if they are of a training like this."""
        saved = datasets.load_params(self.file)
        names = [_variable(k) for k in range(len(self.variables))]
        arrays = {name: saved.pop(name) for name in list(saved) if name.startswith(ARRAY)}
        if saved.keys() != {PROGRESS, *names}:
            raise ValueError(f"it has {len(saved) - 1} variables, and {len(names)} are trained")
        progress = json.loads(str(saved[PROGRESS]))
        if progress.keys() != start.keys():
            raise ValueError(f"it has {', '.join(progress)}, not {', '.join(start)}")
        for name, variable in zip(names, self.variables, strict=True):
            if saved[name].shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {saved[name].shape}, not {variable.shape}")
        values = [saved[name] for name in names]
        return progress, values, {name.removeprefix(ARRAY): a for name, a in arrays.items()}


def _variable(k: int) -> str:
    return f"variable {k}"
