"""Fields that forms of pages share. A field that is not known here, such as ``csrf_token``, is not looked at."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Form(BaseModel):
    """What a form sends; every field comes as text."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _unix_lines(text: str) -> str:
    """Undo what browsers do to line ends, so that a text comes back as it was."""
    return text.replace("\r\n", "\n")


PolicyText = Annotated[str, AfterValidator(_unix_lines), StringConstraints(min_length=1)]
"""The text of a policy, out of a text field."""
