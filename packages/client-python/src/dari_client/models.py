"""The schemas of the API, as `TypedDict`s."""

from .generated.models import *  # noqa: F403
