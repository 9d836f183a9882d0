"""Shared parts of the command lines: error messages and checked options.

They serve ``nengo-phasor`` and the models in ``networks/``; the library does not need them.
"""

from __future__ import annotations

import re

from nengo.exceptions import NengoException

from nengo_phasor import compat, extras

compat.require("click")
import click  # noqa: E402

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""


class Missing(click.ClickException):
    """An extra is not installed. The command ends with the exit code of wrong usage."""

    exit_code = 2


class Commands(click.Group):
    """Commands that end with the message of an error, and with exit code 130 after Ctrl-C."""

    def invoke(self, ctx):
        """Run the command."""
        try:
            with extras.named():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # as in `nengo-phasor list | head`; click ends quietly
            raise
        except extras.MissingExtra as error:
            raise Missing(str(error)) from None
        except (NengoException, ImportError, OSError) as error:
            raise click.ClickException(str(error)) from error


COUNT = click.IntRange(1)
"""Integers of 1 or more."""

SEED = click.IntRange(0, 2**32 - 1)
"""The integers that NumPy accepts as seeds."""


class Seeds(click.ParamType):
    """Seeds separated by commas, such as 0,1,2."""

    name = "seeds"

    def convert(self, value, param, ctx):
        """Return the list."""
        if isinstance(value, list):
            return value
        if not re.fullmatch(r"\d+(, *\d+)*", value):
            self.fail(f"{value!r} is not a list of seeds such as 0,1,2", param, ctx)
        return [SEED.convert(part, param, ctx) for part in value.split(",")]
