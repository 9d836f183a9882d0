"""What the command lines share: errors in their own words, options that are checked.

Those of ``nengo-phasor`` and of the models in ``networks/``; the library never needs it.
"""

from __future__ import annotations

import re

from nengo.exceptions import NengoException

from nengo_phasor import compat, extras

compat.require("click")
import click  # noqa: E402

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Missing(click.ClickException):
    """An extra is not installed: ends the command with the code of wrong usage."""

    exit_code = 2


class Commands(click.Group):
    """Commands that end with an error's own words, and with 130 after Ctrl-C."""

    def invoke(self, ctx):
        """Run the command."""
        try:
            with extras.named():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(INTERRUPTED)
        except extras.MissingExtra as error:
            raise Missing(str(error)) from None
        except (NengoException, ImportError, OSError) as error:
            raise click.ClickException(str(error)) from error


COUNT = click.IntRange(1)
"""Whole numbers of 1 or more."""

SEED = click.IntRange(0, 2**32 - 1)
"""What NumPy takes for a seed."""


class Seeds(click.ParamType):
    """Seeds with commas between them, such as 0,1,2."""

    name = "seeds"

    def convert(self, value, param, ctx):
        """Return the list."""
        if isinstance(value, list):
            return value
        if not re.fullmatch(r"\d+(, *\d+)*", value):
            self.fail(f"{value!r} is no list of seeds such as 0,1,2", param, ctx)
        return [SEED.convert(part, param, ctx) for part in value.split(",")]
