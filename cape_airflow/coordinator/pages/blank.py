"""Filters as browsers send them: a field that was left empty asks for nothing."""

from __future__ import annotations

from pydantic import BeforeValidator

Blank = BeforeValidator(lambda sent: sent or None)
"""Turns the empty text of a field into None."""
