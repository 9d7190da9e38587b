# What the SDK exports of its traces.

from . import processors, provider
from .setup import get_trace_provider, set_trace_provider


def add_trace_processor(processor):
    get_trace_provider().register_processor(processor)
