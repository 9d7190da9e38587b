# The provider of traces that the SDK creates.

from types import SimpleNamespace


class DefaultTraceProvider:
    def __init__(self):
        self._multi_processor = SimpleNamespace(_processors=())

    def register_processor(self, processor):
        self._multi_processor._processors += (processor,)

    def create_trace(self, disabled):
        for processor in () if disabled else self._multi_processor._processors:
            processor.on_trace_start(None)
