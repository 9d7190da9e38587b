# The processor of traces that the SDK creates.

class BatchTraceProcessor:
    def on_trace_start(self, trace):
        pass
