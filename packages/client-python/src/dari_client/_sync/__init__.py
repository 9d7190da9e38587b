"""The blocking client. `hatch_build.py` generates its modules from the asynchronous ones."""
