"""``cape users`` and ``cape tokens``."""

from __future__ import annotations

import click

from cape_airflow.cli.output import json_option, print_item, print_items, print_token
from cape_airflow.cli.session import connected


@click.group()
def users() -> None:
    """The users of a coordinator. For admins."""


@users.command()
@click.argument("email")
@click.option("--name", required=True, prompt=True)
@click.option("--admin", is_flag=True, help="Make the user an admin of the coordinator.")
@json_option
def create(email: str, name: str, admin: bool, as_json: bool) -> None:
    """Create a user. `cape tokens create --user EMAIL` makes a token to log in with."""
    with connected() as client:
        print_item(client.create_user(email, name, "admin" if admin else "user"), as_json=as_json)


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List the users."""
    with connected() as client:
        print_items(client.users(), ("email", "name", "role", "deactivated_at", "id"), as_json=as_json)


@users.command()
@click.argument("email")
@click.argument("role", type=click.Choice(["user", "auditor", "admin"]))
def role(email: str, role: str) -> None:
    """Make EMAIL a user, an auditor or an admin of the coordinator."""
    with connected() as client:
        client.set_role(email, role)
    click.echo(f"{email} is {role}")


@users.command()
@click.argument("email")
def deactivate(email: str) -> None:
    """End the access of EMAIL at once: sessions, tokens and links."""
    with connected() as client:
        client.deactivate_user(email)
    click.echo(f"{email} is deactivated; tokens and sessions are worth nothing any more")


@users.command()
@click.argument("email")
def activate(email: str) -> None:
    """Let EMAIL in again, who needs a new token then."""
    with connected() as client:
        client.activate_user(email)
    click.echo(f"{email} is active; cape tokens create --user {email} makes a token")


@click.group()
def tokens() -> None:
    """API tokens, yours or, for admins, anybody's."""


@tokens.command("create")
@click.option("--user", metavar="EMAIL", help="Whose token; yours where it is not given.")
@click.option("--description", default="made by cape tokens create")
@click.option("--days", type=click.IntRange(1), default=90, help="How long it is valid.")
def create_token(user: str | None, description: str, days: int) -> None:
    """Create a token and print it. It is never shown again."""
    with connected() as client:
        print_token(client.create_token(description, user, days))


@tokens.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List tokens; never the tokens themselves."""
    columns = ("id", "user_email", "description", "expires_at", "last_used_at", "revoked_at")
    with connected() as client:
        print_items(client.tokens(), columns, as_json=as_json)


@tokens.command()
@click.argument("token_id")
def remove(token_id: str) -> None:
    """Make a token worthless at once."""
    with connected() as client:
        client.revoke_token(token_id)
    click.echo(f"token {token_id} is revoked")
