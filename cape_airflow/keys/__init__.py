"""Keys: references to material, derivation, and the providers they come from."""

from cape_airflow.keys.environment import EnvironmentKeys
from cape_airflow.keys.file import FileKeys, add_key
from cape_airflow.keys.material import Key, KeyProvider, KeyRing, Secret, derive

__all__ = ["EnvironmentKeys", "FileKeys", "Key", "KeyProvider", "KeyRing", "Secret", "add_key", "derive"]
