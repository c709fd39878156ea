"""``cape suggestions``: propose policies and review them; `REVIEW` holds the same commands by their old names."""

from __future__ import annotations

import click

from cape_airflow.cli.files import POLICY_FILE, read_text
from cape_airflow.cli.output import json_option, limit_option, print_item, print_items, print_json, visible
from cape_airflow.cli.review import MORE
from cape_airflow.cli.session import connected
from cape_airflow.errors import NotApproved

_COLUMNS = ("id", "state", "title", "author", "created_at", "digest")


@click.group()
def suggestions() -> None:
    """Propose policies, and review what others propose."""


@suggestions.command()
@click.argument("project")
@click.argument("file", type=POLICY_FILE)
@click.option("--title", required=True, prompt=True)
@click.option("--description", default="")
@json_option
def create(project: str, file: str, title: str, description: str, as_json: bool) -> None:
    """Suggest the policy of FILE for PROJECT."""
    with connected() as client:
        print_item(client.suggest(project, title, read_text(file), description), as_json=as_json)


@suggestions.command("list")
@click.argument("project")
@limit_option
@json_option
def list_(project: str, limit: int, as_json: bool) -> None:
    """List the suggestions for PROJECT."""
    with connected() as client:
        print_items(client.suggestions(project, limit=limit), _COLUMNS, as_json=as_json)


@suggestions.command()
@click.argument("project")
@click.argument("suggestion")
@json_option
def get(project: str, suggestion: str, as_json: bool) -> None:
    """Show a suggestion with its text and what was said about it."""
    with connected() as client:
        found = client.suggestion(project, suggestion)
    print_item(found, as_json=as_json)
    if not as_json:
        for review in found.reviews:
            said = f"{review.verdict} of revision {review.revision}"
            click.echo(f"{review.created_at:%Y-%m-%d %H:%M} {review.reviewer}: {said} {visible(review.comment or '')}")
        for comment in found.comments:
            place = f"revision {comment.revision}, line {comment.line}: " if comment.line else ""
            click.echo(f"{comment.created_at:%Y-%m-%d %H:%M} {comment.author}: {place}{visible(comment.text)}")
        click.echo(f"\n{visible(found.policy)}")


@suggestions.command()
@click.argument("project")
@click.argument("suggestion")
@click.option("--comment")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def approve(project: str, suggestion: str, comment: str | None, yes: bool) -> None:
    """Approve a suggestion: exactly the text that is shown."""
    from cape_airflow.policy import lint, load_policy

    with connected() as client:
        found = client.suggestion(project, suggestion)
        policy = load_policy(found.policy)
        if policy.digest != found.digest:
            raise NotApproved(
                "the coordinator shows a text that does not have the digest it names; nothing was approved"
            )
        click.echo(f"{visible(found.policy)}\n")
        for finding in lint(policy):
            click.echo(str(finding))
        click.echo(f"title   {visible(found.title)}\nauthor  {visible(found.author)}\ndigest  {found.digest}")
        if not yes:
            click.confirm(f"Approve this for project {project}?", abort=True)
        decided = client.approve(project, suggestion, policy.digest, comment)
    click.echo("approved" if decided.state == "approved" else "noted; it needs the approval of others, too")


@suggestions.command()
@click.argument("project")
@click.argument("suggestion")
@click.option("--comment", required=True, prompt="Why", help="Why; the author and waiting runs are told.")
def reject(project: str, suggestion: str, comment: str) -> None:
    """Reject a suggestion."""
    with connected() as client:
        client.reject(project, suggestion, client.suggestion(project, suggestion).digest, comment)
    click.echo("rejected")


@suggestions.command()
@click.argument("project")
@click.argument("suggestion")
@click.argument("text")
@click.option("--line", type=click.IntRange(1), help="The line of the policy that it is about.")
def comment(project: str, suggestion: str, text: str, line: int | None) -> None:
    """Say something about a suggestion, or about a line of its policy."""
    with connected() as client:
        client.comment(project, suggestion, text, line)


@click.command("get")
@click.argument("project")
@click.option("--digest", help="An earlier approved policy, by its digest.")
@json_option
def approved(project: str, digest: str | None, as_json: bool) -> None:
    """Print the approved policy of PROJECT; its digest and signature are checked."""
    with connected() as client:
        policy = client.policy(project, digest)
    if as_json:
        approval = policy.approval.model_dump(mode="json")
        print_json({"digest": policy.digest, "approval": approval, "policy": policy.text})
    else:
        click.echo(visible(policy.text))


for _command in MORE:
    suggestions.add_command(_command)

REVIEW = {
    "create": create,
    "list-suggestions": list_,
    "get-suggestion": get,
    "approve": approve,
    "reject": reject,
    "comment": comment,
    "get": approved,
}
"""The verbs of the old command line, by their old names."""
