"""``cape projects`` and ``cape contributors``."""

from __future__ import annotations

import click

from cape_airflow.cli.output import json_option, print_item, print_items, print_token
from cape_airflow.cli.session import connected
from cape_airflow.cli.suggestions import REVIEW

_ROLES = click.Choice(["project-owner", "project-contributor", "project-reader", "worker"])


@click.group()
def projects() -> None:
    """Projects own policies, keys and people."""


@projects.command()
@click.argument("name")
@click.argument("description", required=False)
@click.option("--label", help="Short name for commands and DAGs; made from NAME where it is not given.")
@json_option
def create(name: str, description: str | None, label: str | None, as_json: bool) -> None:
    """Create a project; you become its owner."""
    with connected() as client:
        print_item(client.create_project(name, label, description), as_json=as_json)


@projects.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List your projects."""
    with connected() as client:
        print_items(client.projects(), ("label", "name", "status", "policy_digest"), as_json=as_json)


@projects.command()
@click.argument("label")
@json_option
def get(label: str, as_json: bool) -> None:
    """Show a project."""
    with connected() as client:
        print_item(client.project(label), as_json=as_json)


@projects.command()
@click.argument("label")
@click.option("--name")
@click.option("--description")
@json_option
def update(label: str, name: str | None, description: str | None, as_json: bool) -> None:
    """Give a project another name or description."""
    if name is None and description is None:
        raise click.UsageError("give --name or --description")
    with connected() as client:
        print_item(client.update_project(label, name, description), as_json=as_json)


@click.group()
def contributors() -> None:
    """The people and workers of a project."""


@contributors.command()
@click.argument("project")
@click.argument("email")
@click.argument("role", type=_ROLES)
def add(project: str, email: str, role: str) -> None:
    """Add EMAIL to PROJECT, or give EMAIL another role. Cape's old order, EMAIL PROJECT, is understood too."""
    if "@" in project:
        project, email = email, project
    with connected() as client:
        client.set_contributor(project, email, role)
    click.echo(f"{email} is {role} of {project}")


@contributors.command("list")
@click.argument("project")
@json_option
def list_contributors(project: str, as_json: bool) -> None:
    """List the members of PROJECT."""
    with connected() as client:
        print_items(client.contributors(project), ("email", "name", "role"), as_json=as_json)


@contributors.command()
@click.argument("project")
@click.argument("email")
def remove(project: str, email: str) -> None:
    """Take EMAIL out of PROJECT."""
    with connected() as client:
        client.remove_contributor(project, email)
    click.echo(f"{email} is no longer in {project}")


@projects.group()
def workers() -> None:
    """The service accounts that tasks of a project run under. For its owners."""


@workers.command("create")
@click.argument("project")
@click.argument("email")
@click.option("--name", required=True, prompt=True)
@json_option
def create_worker(project: str, email: str, name: str, as_json: bool) -> None:
    """Create a service account that is a worker of PROJECT, and nothing elsewhere."""
    with connected() as client:
        print_item(client.create_worker(project, email, name), as_json=as_json)


@workers.command()
@click.argument("project")
@click.argument("email")
@click.option("--description", default="made by cape projects workers token")
@click.option("--days", type=click.IntRange(1), default=90, help="How long it is valid; as long as yours at most.")
def token(project: str, email: str, description: str, days: int) -> None:
    """Create a token for a worker of PROJECT and print it. It is never shown again."""
    with connected() as client:
        print_token(client.create_worker_token(project, email, description, days))


@projects.group("policy")
def policy() -> None:
    """Suggest and review policies (the same as `cape suggestions`)."""


projects.add_command(contributors)
for _name, _command in REVIEW.items():
    policy.add_command(_command, _name)
