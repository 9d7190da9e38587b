# Replaces openai-agents: runs, hooks and default runner as that SDK has them. An agent has its answers as a list.

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Generic, TypeVar


class RunHooksBase(Generic[TypeVar("Context")]):
    async def on_agent_start(self, context, agent):
        pass

    async def on_llm_start(self, context, agent, system_prompt, input_items):
        pass

    async def on_llm_end(self, context, agent, response):
        pass

    async def on_tool_start(self, context, agent, tool):
        pass

    async def on_tool_end(self, context, agent, tool, result):
        pass


# As in the SDK, where this is no class.
RunHooks = RunHooksBase[Any]


@dataclass
class RunConfig:
    call_model_input_filter: Any = None


class Agent(SimpleNamespace):
    model = "gpt-4.1"
    tools = handoffs = mcp_servers = ()


class Runner:
    @classmethod
    async def run(cls, agent, given, **options):
        return await get_default_agent_runner().run(agent, given, **options)

    @classmethod
    def run_streamed(cls, agent, given, **options):
        return get_default_agent_runner().run_streamed(agent, given, **options)


from .run import get_default_agent_runner  # noqa: E402
