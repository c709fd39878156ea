"""The command `cape`. The modules of its commands import what `--help` needs; the rest is imported when they run."""

from __future__ import annotations

from typing import Any

import click

from cape_airflow import __version__
from cape_airflow.cli.apply import apply
from cape_airflow.cli.audit import audit
from cape_airflow.cli.coordinator import coordinator
from cape_airflow.cli.doctor import doctor
from cape_airflow.cli.jobs import jobs
from cape_airflow.cli.keys import keys
from cape_airflow.cli.login import login, logout
from cape_airflow.cli.people import tokens, users
from cape_airflow.cli.policy import policy
from cape_airflow.cli.projects import contributors, projects
from cape_airflow.cli.suggestions import suggestions
from cape_airflow.cli.verify import verify
from cape_airflow.errors import CapeError


class _Cape(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong on purpose becomes one sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except CapeError as error:
            raise click.ClickException(str(error)) from None


@click.group(
    cls=_Cape,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-v", "--version", message="%(version)s")
def main() -> None:
    """De-identify data under reviewed, approved policies.

    Every option can be given as an environment variable; the help of each command names them.
    Commands that talk to a coordinator take it from `cape login`, or from CAPE_URL and CAPE_TOKEN.
    """


@main.command()
def version() -> None:
    """Print the version of this command."""
    click.echo(__version__)


def _name_variables(command: click.Command, name: str) -> None:
    """Give every option its environment variable: ``CAPE_``, the command and the option, e.g. ``CAPE_APPLY_KEYS``.

    A command that has several names keeps the variables of the first.
    """
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.envvar is None:
            option = max(parameter.opts, key=len).lstrip("-")
            parameter.envvar = f"{name}_{option}".upper().replace("-", "_")
            parameter.show_envvar = True
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            _name_variables(each, f"{name}_{below}")


for _command in (
    suggestions,  # before its other names
    contributors,
    apply,
    audit,
    coordinator,
    doctor,
    jobs,
    keys,
    login,
    logout,
    policy,
    projects,
    tokens,
    users,
    verify,
):
    main.add_command(_command)
    _name_variables(_command, f"cape_{_command.name}")
