"""Listeners: the end of jobs whose tasks cannot tell it any more.

A task tells its job's start, progress, success and failure by itself. One that was killed, ran out of memory or lost
its machine tells nothing. Airflow notices, in the scheduler; so does this package, there, and ends the job.
"""
