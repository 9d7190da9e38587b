# Where the SDK keeps its provider of traces, which it creates when it is needed.

GLOBAL_TRACE_PROVIDER = None


def set_trace_provider(provider):
    global GLOBAL_TRACE_PROVIDER
    GLOBAL_TRACE_PROVIDER = provider


def get_trace_provider():
    global GLOBAL_TRACE_PROVIDER
    if GLOBAL_TRACE_PROVIDER is None:
        from .processors import BatchTraceProcessor
        from .provider import DefaultTraceProvider

        GLOBAL_TRACE_PROVIDER = DefaultTraceProvider()
        GLOBAL_TRACE_PROVIDER.register_processor(BatchTraceProcessor())
    return GLOBAL_TRACE_PROVIDER
