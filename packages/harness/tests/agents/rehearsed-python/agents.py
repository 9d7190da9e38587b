# The names that the rehearsal uses of openai-agents, with a Runner that makes one request as that SDK's does.

import asyncio
from urllib.parse import urlsplit

made = []


class _Options:
    def __init__(self, **options):
        self.__dict__.update(options)


class Agent(_Options):
    pass


class OpenAIProvider(_Options):
    pass


class RunConfig(_Options):
    pass


def function_tool(function, name_override):
    return name_override


class Runner:
    @staticmethod
    def run_streamed(agent, input, run_config):
        return _Result(agent, run_config)


class _Result:
    def __init__(self, agent, config):
        self.agent, self.config = agent, config

    async def stream_events(self):
        origin = urlsplit(self.config.model_provider.base_url)
        reader, writer = await asyncio.open_connection(origin.hostname, origin.port)
        writer.write(b"POST /responses HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        reply = (await reader.read()).decode()
        writer.close()
        kind = "function_call" if '"type": "function_call"' in reply else "message"
        tracing = not self.config.tracing_disabled
        made.append({"agent": self.agent.name, "host": origin.hostname, "tracing": tracing, "reply": kind})
        yield reply
