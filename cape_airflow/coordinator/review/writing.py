"""What authors do: suggest, edit, rebase, withdraw, comment. Every text is a policy that loads, without keys in it."""

from __future__ import annotations

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.facts import facts_of
from cape_airflow.coordinator.review.history import (
    approval_of,
    approved,
    digest_in_force,
    find_suggestion,
    revisions_of,
    room,
)
from cape_airflow.coordinator.review.states import Act, decide
from cape_airflow.coordinator.store.models import Comment, Revision, Suggestion, SuggestionState, User
from cape_airflow.errors import PolicyError
from cape_airflow.policy import load_policy


def suggest(call: Call, title: str, description: str, text: str, base: str | None = None) -> Suggestion:
    """Propose a policy version.

    Args:
        base: the approved digest that the text was written against; None for the one that is in force.

    Raises:
        Problem: 422 where the text is no policy, or holds keys, or the base was never approved here.
    """
    if base is not None and approval_of(call, base) is None:
        raise Problem(422, "unknown-base", "body.base: no policy with this digest was approved in this project")
    suggestion = Suggestion(
        id=new_id(call.now),
        project=call.project,
        title=title,
        description=description,
        policy=text,
        digest=checked_digest(text),
        state=SuggestionState.OPEN,
        author=call.user,
        created_at=call.now,
    )
    call.seals.put(suggestion)
    call.session.add(suggestion)
    _write_down(call, suggestion, base or digest_in_force(call), call.user)
    call.record(Event.SUGGEST_POLICY, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def suggest_again(call: Call, digest: str, title: str | None) -> Suggestion:
    """Propose a policy that was approved before: to go back to it, or to have it certified again.

    Raises:
        Problem: 404 ``no-approved-policy``.
    """
    old = approved(call, digest).suggestion
    return suggest(call, title or f"Again: {old.title}"[:200], old.description, old.policy)


def edit(
    call: Call,
    suggestion_id: str,
    revision: int,
    *,
    title: str | None = None,
    description: str | None = None,
    policy: str | None = None,
) -> Suggestion:
    """Make a new revision; what is None stays. All approvals of the one before are cleared.

    Args:
        revision: the one that the editor began from.

    Raises:
        Problem: 404; 409 ``revision-mismatch`` or ``not-open``; 422 where the text is no policy, or holds keys.
    """
    suggestion = find_suggestion(call, suggestion_id)
    facts = facts_of(call, suggestion, Act.EDIT, revision=revision)
    suggestion.state = decide(Act.EDIT, facts).state
    base = facts.base or None
    _revise(call, suggestion, base, title=title, description=description, policy=policy)
    call.record(Event.EDIT_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def rebase(call: Call, suggestion_id: str, revision: int, policy: str | None = None) -> Suggestion:
    """Say that a suggestion, or its new text, is meant to replace the policy that is in force now.

    Raises:
        Problem: 404; 409 ``revision-mismatch`` or ``not-open``; 422 where the text is no policy, or holds keys.
    """
    suggestion = find_suggestion(call, suggestion_id)
    facts = facts_of(call, suggestion, Act.REBASE, revision=revision)
    suggestion.state = decide(Act.REBASE, facts).state
    _revise(call, suggestion, facts.current, policy=policy)
    call.record(Event.REBASE_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def withdraw(call: Call, suggestion_id: str) -> Suggestion:
    """Take a suggestion back: its author, or an owner.

    Raises:
        Problem: 404; 403 ``not-the-author``; 409 ``not-open``.
    """
    suggestion = find_suggestion(call, suggestion_id)
    suggestion.state = decide(Act.WITHDRAW, facts_of(call, suggestion, Act.WITHDRAW)).state
    call.record(Event.WITHDRAW_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def add_comment(call: Call, suggestion_id: str, text: str, line: int | None = None) -> Suggestion:
    """Say something about a suggestion, or about a line of its policy as it is now; in whatever state it is.

    Args:
        line: counted from 1.

    Raises:
        Problem: 404 where there is none in this project; 409 where it has 200 already; 422 where the policy has no
            such line.
    """
    suggestion = find_suggestion(call, suggestion_id)
    facts = facts_of(call, suggestion, Act.COMMENT)
    suggestion.state = decide(Act.COMMENT, facts).state
    room(suggestion.comments, "comments")
    if line is not None and line > len(suggestion.policy.splitlines()):
        raise Problem(422, "invalid", "body.line: the policy has fewer lines")
    comment = Comment(author=call.user, text=text, created_at=call.now, line=line, revision=facts.revision)
    suggestion.comments.append(comment)
    call.record(Event.COMMENT_SUGGESTION, "suggestion", suggestion.id)
    return suggestion


def checked_digest(text: str) -> str:
    """Return the digest of a policy text that may be suggested.

    Raises:
        Problem: 422 where it is no policy, or holds keys.
    """
    try:
        policy = load_policy(text)
    except PolicyError as error:
        raise Problem(422, "invalid-policy", f"body.policy: {error}") from None
    names = policy.inline_keys().names()
    if names:
        raise Problem(
            422,
            "inline-keys",
            f"body.policy: it holds {len(names)} key(s) in clear, which everybody who reviews it would see; "
            "make project keys and name them: key: {ref: NAME}",
        )
    return policy.digest


def _revise(
    call: Call,
    suggestion: Suggestion,
    base: str | None,
    *,
    title: str | None = None,
    description: str | None = None,
    policy: str | None = None,
) -> None:
    revisions = revisions_of(call, suggestion)
    room(revisions, "revisions")
    if not revisions:  # from before there were any: what it says now is the first one
        _write_down(call, suggestion, base, suggestion.author)
    suggestion.title = suggestion.title if title is None else title
    suggestion.description = suggestion.description if description is None else description
    if policy is not None:
        suggestion.policy, suggestion.digest = policy, checked_digest(policy)
    call.seals.put(suggestion)
    _write_down(call, suggestion, base, call.user)


def _write_down(call: Call, suggestion: Suggestion, base: str | None, editor: User) -> None:
    revision = Revision(
        number=len(suggestion.revisions) + 1,
        editor=editor,
        title=suggestion.title,
        description=suggestion.description,
        policy=suggestion.policy,
        digest=suggestion.digest,
        base_digest=base,
        created_at=call.now,
    )
    suggestion.revisions.append(revision)
    call.seals.put(revision)
