"""The audit log: what happened, written by the server in the transaction of the effect; never by a client.

Event names are Cape's operations in kebab case (``create-project``), and new ones in the same manner.
"""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What is recorded."""

    LOG_IN = "log-in"
    REFUSE_LOG_IN = "refuse-log-in"
    LOG_OUT = "log-out"
    SET_PASSWORD = "set-password"  # noqa: S105 - the name of an event
    CREATE_LINK = "create-one-time-link"
    CREATE_USER = "create-user"
    BIND_IDENTITY = "bind-identity"
    UPDATE_USER = "update-user"
    DEACTIVATE_USER = "deactivate-user"
    ACTIVATE_USER = "activate-user"
    CREATE_TOKEN = "create-token"  # noqa: S105 - the name of an event
    REMOVE_TOKEN = "remove-token"  # noqa: S105 - the name of an event
    CREATE_PROJECT = "create-project"
    UPDATE_PROJECT = "update-project"
    UPDATE_CONTRIBUTOR = "update-contributor"
    REMOVE_CONTRIBUTOR = "remove-contributor"
    SUGGEST_POLICY = "suggest-project-policy"
    APPROVE_SUGGESTION = "approve-project-suggestion"
    REJECT_SUGGESTION = "reject-project-suggestion"
    COMMENT_SUGGESTION = "comment-project-suggestion"
    EDIT_SUGGESTION = "edit-project-suggestion"
    REBASE_SUGGESTION = "rebase-project-suggestion"
    WITHDRAW_SUGGESTION = "withdraw-project-suggestion"
    REQUEST_CHANGES = "request-changes-project-suggestion"
    BREAK_GLASS = "break-glass-project-suggestion"
    CONFIRM_SUGGESTION = "confirm-project-suggestion"
    OBJECT_SUGGESTION = "object-project-suggestion"
    CARRY_ANSWER = "carry-answer"
    ATTACH_DRY_RUN = "attach-dry-run"
    UPDATE_REVIEW_RULE = "update-review-rule"
    CREATE_KEY = "create-key"
    ROTATE_KEY = "rotate-key"
    UPDATE_KEY = "update-key"
    RETIRE_KEY = "retire-key"
    DESTROY_KEY = "destroy-key"
    GRANT_REVEAL = "grant-reveal"
    WITHDRAW_REVEAL = "withdraw-reveal"
    ROTATE_ROOT_KEY = "rotate-root-key"
    READ_KEY = "read-key"
    REVEAL_KEY = "reveal-key"
    READ_POLICY = "read-policy"
    READ_SUGGESTION = "read-suggestion"
    READ_SUGGESTIONS = "read-suggestions"
    READ_AUDIT = "read-audit"
    EXPORT_AUDIT = "export-audit"
    APPLY_POLICY = "apply-policy"
    START_JOB = "start-job"
    FINISH_JOB = "finish-job"
    VERIFY_JOB = "verify-job"
    ASK_CANCEL = "ask-cancel-scheduler-job"
    CANCEL = "cancel-scheduler-job"
    CANCEL_REFUSED = "cancel-scheduler-job-refused"
