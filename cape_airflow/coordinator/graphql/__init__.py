"""GraphQL for the clients of Cape Python 0.3: what they ask for, answered by the rules that the REST API stands on.

The surface is that of `login`, `me`, `get_policy` and `audit_log` of those clients (Cape Coordinator's GraphQL schema).
"""
