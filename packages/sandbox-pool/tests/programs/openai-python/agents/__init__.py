# Replaces openai-agents: what that SDK keeps, and a runner that asks its model twice. `made` has the requests.

from types import SimpleNamespace

from .models._openai_shared import set_default_openai_client, set_default_openai_key, set_use_responses_by_default
from .run import Runner, behaviour, made, set_default_agent_runner
from .tracing import add_trace_processor, set_trace_provider


class RunHooks:
    pass


class Agent(SimpleNamespace):
    pass


class RunConfig(SimpleNamespace):
    pass


class OpenAIProvider:
    def __init__(self, openai_client=None, use_responses=None):
        self._client = openai_client

    def get_model(self, name):
        return SimpleNamespace(ask=lambda: self._client.responses.create(name))


def function_tool(function, name_override=None):
    return SimpleNamespace(name=name_override, run=function)
