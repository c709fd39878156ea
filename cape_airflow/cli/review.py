"""``cape suggestions``, further verbs: change and take back suggestions, look at them as a reviewer, set the rule."""

from __future__ import annotations

import click

from cape_airflow.cli.files import POLICY_FILE, read_text
from cape_airflow.cli.output import json_option, limit_option, print_item, print_items, visible
from cape_airflow.cli.session import connected

_WHY = click.option("--comment", required=True, prompt="Why", help="Why; it is kept.")
_VERSIONS = ("approved_at", "expires_at", "break_glass", "title", "digest")
_REVISIONS = ("number", "created_at", "editor", "title", "base", "digest")


@click.command()
@click.argument("project")
@click.argument("suggestion")
@click.option("--policy", "file", type=POLICY_FILE, help="The new text.")
@click.option("--title")
@click.option("--description")
@json_option
def edit(
    *, project: str, suggestion: str, file: str | None, title: str | None, description: str | None, as_json: bool
) -> None:
    """Change a suggestion; approvals that it has are cleared."""
    text = read_text(file) if file else None
    with connected() as client:
        seen = client.suggestion(project, suggestion).revision
        changed = client.edit_suggestion(project, suggestion, seen, title=title, description=description, policy=text)
    print_item(changed, as_json=as_json)


@click.command()
@click.argument("project")
@click.argument("suggestion")
@click.option("--policy", "file", type=POLICY_FILE, help="A new text, where the old one does not do any more.")
@json_option
def rebase(project: str, suggestion: str, file: str | None, as_json: bool) -> None:
    """Say that a suggestion is meant to replace the policy that is in force now."""
    text = read_text(file) if file else None
    with connected() as client:
        seen = client.suggestion(project, suggestion).revision
        print_item(client.rebase(project, suggestion, seen, text), as_json=as_json)


@click.command()
@click.argument("project")
@click.argument("suggestion")
def withdraw(project: str, suggestion: str) -> None:
    """Take a suggestion back."""
    with connected() as client:
        client.withdraw(project, suggestion)
    click.echo("withdrawn")


@click.command("request-changes")
@click.argument("project")
@click.argument("suggestion")
@_WHY
def request_changes(project: str, suggestion: str, comment: str) -> None:
    """Ask the author for another text."""
    with connected() as client:
        client.request_changes(project, suggestion, client.suggestion(project, suggestion).digest, comment)
    click.echo("changes requested")


@click.command("break-glass")
@click.argument("project")
@click.argument("suggestion")
@click.option("--reason", required=True, prompt=True, help="Why it cannot wait for a review.")
@click.confirmation_option(prompt="Put this in force for 72 hours without a review?")
def break_glass(project: str, suggestion: str, reason: str) -> None:
    """In an emergency: put a suggestion in force without a review, which must follow."""
    with connected() as client:
        client.break_glass(project, suggestion, client.suggestion(project, suggestion).digest, reason)
    click.echo("in force for 72 hours; somebody else must review it now")


@click.command("after-review")
@click.argument("project")
@click.argument("suggestion")
@click.argument("verdict", type=click.Choice(["confirm", "object"]))
@click.option("--comment", help="Needed for an objection.")
def after_review(project: str, suggestion: str, verdict: str, comment: str | None) -> None:
    """Review what was put in force without: `confirm`, or `object`, which takes it out of force."""
    with connected() as client:
        seen = client.suggestion(project, suggestion)
        decided = client.after_review(project, suggestion, seen.digest, verdict, comment)
    click.echo(decided.state)


@click.command()
@click.argument("project")
@click.argument("suggestion")
@json_option
def review(project: str, suggestion: str, as_json: bool) -> None:
    """Show what a reviewer needs: what changes in text and effect, findings, approvals, the dry run."""
    with connected() as client:
        found = client.review(project, suggestion)
    if as_json:
        print_item(found, as_json=True)
        return
    for line in found.comparison.lines:
        click.echo({"same": "  ", "removed": "- ", "added": "+ "}[line.kind] + visible(line.text))
    for change in (each for each in found.comparison.effects if each.before != each.after):
        before, after = (each.text if each else "(nothing)" for each in (change.before, change.after))
        click.echo(visible(f"{change.what}: {before} -> {after}"))
    for finding in found.findings:
        click.echo(visible(f"{finding.level}: {f'line {finding.line}: ' if finding.line else ''}{finding.message}"))
    for wanted in found.quorum:
        click.echo(f"{wanted.role}: {wanted.given} of {wanted.wanted}")
    if found.base_moved:
        click.echo("another policy was approved since this was written: it must be rebased")
    click.echo(f"dry run by {found.dry_run.reporter}" if found.dry_run else "no dry run is attached")


@click.command()
@click.argument("project")
@click.argument("suggestion")
@json_option
def revisions(project: str, suggestion: str, as_json: bool) -> None:
    """List all that a suggestion has said."""
    with connected() as client:
        print_items(client.revisions(project, suggestion), _REVISIONS, as_json=as_json)


@click.command()
@click.argument("project")
@limit_option
@json_option
def approvals(project: str, limit: int, as_json: bool) -> None:
    """List the policies that were approved in PROJECT, the newest first."""
    with connected() as client:
        print_items(client.policies(project, limit), _VERSIONS, as_json=as_json)


@click.command()
@click.argument("project")
@click.argument("before")
@click.argument("after")
def diff(project: str, before: str, after: str) -> None:
    """Show what differs between two versions: digests, suggestions, or revisions (ID.NUMBER)."""
    with connected() as client:
        found = client.compare(project, before, after)
    for line in found.lines:
        click.echo({"same": "  ", "removed": "- ", "added": "+ "}[line.kind] + visible(line.text))


@click.command()
@click.argument("project")
@click.argument("digest")
@click.option("--title")
@json_option
def again(project: str, digest: str, title: str | None, as_json: bool) -> None:
    """Suggest a policy again that was approved before: to go back to it, or to have it certified again."""
    with connected() as client:
        print_item(client.suggest_again(project, digest, title), as_json=as_json)


@click.command()
@click.argument("project")
@click.option("--owners", type=click.IntRange(0, 10), help="Owners who must approve.")
@click.option("--auditors", type=click.IntRange(0, 10), help="Auditors who must approve.")
@click.option("--valid-days", type=click.IntRange(1, 3650), help="Days until it must be certified again.")
@json_option
def rule(*, project: str, owners: int | None, auditors: int | None, valid_days: int | None, as_json: bool) -> None:
    """Show who must approve in PROJECT; with options, change it. Owners may ask for more, admins also for less."""
    with connected() as client:
        found = client.review_rule(project)
        if (owners, auditors, valid_days) != (None, None, None):
            given = {"project-owner": owners, "auditor": auditors}
            quorum = {**found.quorum, **{role: count for role, count in given.items() if count is not None}}
            found = client.set_review_rule(project, quorum, valid_days or found.valid_days)
    if as_json:
        print_item(found, as_json=True)
        return
    for role, count in found.quorum.items():
        click.echo(f"{role}  {count}")
    click.echo(f"valid for {found.valid_days} days" if found.valid_days else "valid without end")


MORE = (
    edit,
    rebase,
    withdraw,
    review,
    revisions,
    diff,
    request_changes,
    break_glass,
    after_review,
    approvals,
    again,
    rule,
)
"""What `suggestions` offers beside its own."""
