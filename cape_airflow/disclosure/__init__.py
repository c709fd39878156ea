"""What the output still gives away: measures that a policy's guarantees are held against."""

from cape_airflow.disclosure.k_anonymity import KAnonymity

__all__ = ["KAnonymity"]
