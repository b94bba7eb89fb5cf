"""A click group whose subcommands are imported only when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """Knows the names and one-line helps of its commands without importing them.

    Args:
        commands_of: package or module prefix; the subcommand ``image-ops`` is ``command`` in
            ``<commands_of>image_ops``.
        helps: subcommand → its one-line help.
    """

    def __init__(self, *args: Any, commands_of: str, helps: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_of = commands_of
        self.helps = helps

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.helps)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.helps:
            return None
        module = importlib.import_module(self.commands_of + name.replace("-", "_"))
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.helps:
            return
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self.helps.items()))
