"""Keys: references to material, derivation, and the providers they come from."""

from cape_airflow.keys.material import Key, KeyProvider, KeyRing, Secret, derive

__all__ = ["Key", "KeyProvider", "KeyRing", "Secret", "derive"]
