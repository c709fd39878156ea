"""What is measured. Each function prepares its work and returns one round of it, to be run again and again.

They run in processes of their own, in the environment of their library: nothing heavy may be imported outside of them.
"""
