"""Pages: API tokens; one's own, and for admins and auditors everybody's."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Query, Request, Response
from pydantic import Field

from cape_airflow.coordinator import people as rules
from cape_airflow.coordinator.api import people as api
from cape_airflow.coordinator.api.shapes import Email, Line
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import go_to, pages_router

router = pages_router("/tokens")


class TokensOf(api.TokensOf):
    """Whose tokens, as a form asks for them; one's own where it says nothing."""

    user_email: Annotated[Email | None, Blank] = None


@router.get("")
def tokens(request: Request, call: CallDep, which: Annotated[TokensOf, Query()]) -> Response:
    """Show one's own tokens, or those of the user who is named."""
    return _shown(request, call, which)


@router.post("")
def create_token(
    request: Request,
    call: CallDep,
    description: Annotated[Line, Form()],
    expires_in_days: Annotated[int, Form(), Field(ge=1, le=3650)] = 90,
    user_email: Annotated[Email | None, Form()] = None,
) -> Response:
    """Make a token, and show it this once."""
    row, token = rules.create_token(call, description, expires_in_days, user_email)
    return _shown(request, call, TokensOf(user_email=row.user.email), token.write())


@router.post("/{id}/revoke")
def revoke_token(request: Request, id: str, call: CallDep) -> Response:
    """Revoke a token with all that were made with it, and show the list."""
    rules.revoke_token(call, id)
    return go_to(request, "tokens")


def _shown(request: Request, call: Call, which: TokensOf, made: str | None = None) -> Response:
    email = which.user_email or call.user.email
    listed = api.tokens(which.model_copy(update={"user_email": email}), call)
    return page(request, call, "tokens.html", tokens=listed, email=email, made=made)
