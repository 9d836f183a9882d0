"""Checkpoints of training that survive a kill at any moment: one file, complete or absent.

The state of the network and the optimiser is in the same file as the progress of training (the
epoch and the history), so that both are always from the same moment. A resumed training then gives
the same result as an uninterrupted one, bit for bit, if its batches depend on the seed and the
epoch alone. Keras' ``BackupAndRestore`` keeps the state but not the history, and only within one
call of ``fit``, while our training calls it once per epoch because the inputs change. A
`tf.train.Checkpoint` has several files, and the history would be another, so the order of writing
would matter. Neither would make this module shorter.
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
"""Names in the file: that of the progress, and the prefix of arrays' names."""


class Checkpoint:
    """The file that stores the state of a training.

    Parameters
    ----------
    folder : path
        The folder of the run, in which the file is ``checkpoint.npz``.
    variables : sequence of tf.Variable
        All variables that training changes, in an order that is always the same: those
        of the network and of the optimiser, which must be built.

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
        """Whether there is a checkpoint to continue from."""
        return self.file.exists()

    def save(self, arrays: Mapping[str, np.ndarray] | None = None, **progress: Any) -> None:
        """Write the values of the variables and the progress of training.

        Parameters
        ----------
        arrays : {str: ndarray}
            Further arrays, such as the best weights so far.
        **progress
            Values that JSON supports: numbers, text, and lists and dictionaries of these. They are
            restored exactly.
        """
        datasets.save_params(
            self.file,
            **{PROGRESS: np.array(json.dumps(progress))},
            **{_variable(k): variable.numpy() for k, variable in enumerate(self.variables)},
            **{ARRAY + name: array for name, array in (arrays or {}).items()},
        )

    def restored(self, **start: Any) -> dict[str, Any]:
        """Set the variables to the saved values; return the progress, with the arrays as "arrays".

        Without a checkpoint, set nothing, and return ``start`` without arrays.

        Raises
        ------
        nengo_phasor.datasets.DatasetError
            If the file is damaged or belongs to another training. The error names a remedy.
        """
        if not self.exists:
            return {**start, "arrays": {}}
        try:
            progress, values, arrays = self._checked(start)
        except (NengoException, ValueError, TypeError, AttributeError) as error:
            raise datasets.DatasetError(
                f"cannot continue from {self.file} ({error}): delete it to train from the start, "
                "or give another folder"
            ) from error
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        return {**progress, "arrays": arrays}

    def _checked(self, start: Mapping[str, Any]) -> tuple[dict, list, dict]:
        """Return progress, values and arrays, after checking that they fit this training."""
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
