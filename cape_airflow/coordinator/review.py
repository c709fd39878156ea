"""The review of policies.

Rules it follows:

- What is suggested is a policy that loads, without keys in it. Its text never changes afterwards.
- Nobody reviews his own suggestion, whatever he is and whatever he is called by now.
- A review names the digest that the reviewer saw; another one is refused.
- An open suggestion is reviewed once. Of two reviews at the same moment one wins, and the other is told.
- The approved digest is signed. It becomes the project's policy; those approved before stay available by digest.
"""

from __future__ import annotations

from sqlalchemy import Select, select, update

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.identifiers import new_id
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.store.models import Approval, Comment, Suggestion, SuggestionState
from cape_airflow.errors import PolicyError
from cape_airflow.policy import load_policy

_MOST_COMMENTS = 200


def suggest(call: Call, title: str, description: str, text: str) -> Suggestion:
    """Propose a policy version.

    Raises:
        Problem: 422 where the text is no policy, or holds keys.
    """
    suggestion = Suggestion(
        id=new_id(call.now),
        project=call.project,
        title=title,
        description=description,
        policy=text,
        digest=_checked_digest(text),
        state=SuggestionState.OPEN,
        author=call.user,
        created_at=call.now,
    )
    call.seals.put(suggestion)
    call.session.add(suggestion)
    call.record(Event.SUGGEST_POLICY, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def approve(call: Call, suggestion_id: str, digest: str, comment: str | None) -> Suggestion:
    """Approve a suggestion, sign its digest, and make it the project's policy.

    Raises:
        Problem: 404, 403 ``own-suggestion`` or ``tampered``, 409 ``digest-mismatch`` or ``not-open``.
    """
    suggestion = _review(call, suggestion_id, digest, SuggestionState.APPROVED, comment)
    signer = call.coordinator.signer
    document = {
        "project": call.project.label,
        "digest": suggestion.digest,
        "suggestion_id": suggestion.id,
        "approved_at": rfc3339(call.now),
        "key_id": signer.key_id,
    }
    call.session.add(
        Approval(
            project_seq=call.project.seq,
            suggestion=suggestion,
            digest=suggestion.digest,
            document=document,
            signature=signer.sign(document),
        )
    )
    call.record(Event.APPROVE_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def reject(call: Call, suggestion_id: str, digest: str, comment: str) -> Suggestion:
    """Reject a suggestion, saying why.

    Raises:
        Problem: 404, 403 ``own-suggestion`` or ``tampered``, 409 ``digest-mismatch`` or ``not-open``.
    """
    suggestion = _review(call, suggestion_id, digest, SuggestionState.REJECTED, comment)
    call.record(Event.REJECT_SUGGESTION, "suggestion", suggestion.id, suggestion.digest)
    return suggestion


def add_comment(call: Call, suggestion_id: str, text: str) -> Suggestion:
    """Say something about a suggestion, in whatever state it is.

    Raises:
        Problem: 404 where there is none in this project; 409 where it has 200 already.
    """
    suggestion = find_suggestion(call, suggestion_id)
    if len(suggestion.comments) >= _MOST_COMMENTS:
        raise Problem(409, "too-many-comments", f"a suggestion has {_MOST_COMMENTS} comments at most; make a new one")
    suggestion.comments.append(Comment(author=call.user, text=text, created_at=call.now))
    call.record(Event.COMMENT_SUGGESTION, "suggestion", suggestion.id)
    return suggestion


def suggestions(call: Call) -> Select[Suggestion]:
    """Return the query of the project's suggestions."""
    return select(Suggestion).where(Suggestion.project_seq == call.project.seq)


def find_suggestion(call: Call, suggestion_id: str) -> Suggestion:
    """Return one suggestion of the project.

    Raises:
        Problem: 404 where there is none in this project; 403 ``tampered``.
    """
    suggestion = call.session.scalar(suggestions(call).where(Suggestion.id == suggestion_id))
    if suggestion is None:
        raise missing("suggestion")
    call.seals.check(suggestion)
    return suggestion


def approval_of(call: Call, digest: str | None = None) -> Approval | None:
    """Return the newest approval of that digest, or of any; None where the project has none."""
    query = select(Approval).where(Approval.project_seq == call.project.seq).order_by(Approval.seq.desc()).limit(1)
    return call.session.scalar(query if digest is None else query.where(Approval.digest == digest))


def _review(call: Call, suggestion_id: str, digest: str, outcome: SuggestionState, comment: str | None) -> Suggestion:
    suggestion = find_suggestion(call, suggestion_id)
    if suggestion.author.id == call.user.id:
        raise Problem(403, "own-suggestion", "nobody reviews a suggestion of his own; ask another owner")
    if suggestion.digest != digest:
        raise Problem(409, "digest-mismatch", "this suggestion has another digest; look at it again")
    # Compare and set: the state is open in the moment of the change, or nothing changes.
    changed = call.session.connection().execute(
        update(Suggestion)
        .where(Suggestion.seq == suggestion.seq, Suggestion.state == SuggestionState.OPEN)
        .values(state=outcome, reviewer_seq=call.user.seq, reviewed_at=call.now, review_comment=comment)
    )
    if changed.rowcount != 1:
        raise Problem(409, "not-open", "this suggestion is not open any more")
    call.session.refresh(suggestion)
    return suggestion


def _checked_digest(text: str) -> str:
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
