"""The policy language: text to Policy, Policy and schema to Plan."""

from cape_airflow.policy.compiler import compile_plan
from cape_airflow.policy.condition import Condition
from cape_airflow.policy.diff import Change, diff
from cape_airflow.policy.effects import Effect, EffectChange, compare_effects, effects
from cape_airflow.policy.lint import Finding, lint
from cape_airflow.policy.loader import load_policy
from cape_airflow.policy.model import Policy
from cape_airflow.policy.plan import (
    ColumnOutcome,
    Plan,
    Step,
    SuppressAttributes,
    SuppressRecords,
    Transform,
)
from cape_airflow.policy.schema import json_schema

__all__ = [
    "Change",
    "ColumnOutcome",
    "Condition",
    "Effect",
    "EffectChange",
    "Finding",
    "Plan",
    "Policy",
    "Step",
    "SuppressAttributes",
    "SuppressRecords",
    "Transform",
    "compare_effects",
    "compile_plan",
    "diff",
    "effects",
    "json_schema",
    "lint",
    "load_policy",
]
