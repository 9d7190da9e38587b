# The runner of the SDK, which asks its model twice.

import asyncio
import re
from types import SimpleNamespace

from .tracing import setup

made = []
behaviour = SimpleNamespace(is_stuck=False, is_broken=False, works_in_thread=False, leaves_task=False)


class Result:
    def __init__(self, agent, config):
        self.run_loop_task = asyncio.create_task(_run(agent, config))

    async def stream_events(self):
        await self.run_loop_task
        yield "done"


class AgentRunner:
    def run_streamed(self, agent, given, run_config=None, **_options):
        return Result(agent, run_config)


class Runner:
    @staticmethod
    def run_streamed(agent, given, **options):
        return get_default_agent_runner().run_streamed(agent, given, **options)


_runner = AgentRunner()


def get_default_agent_runner():
    return _runner


def set_default_agent_runner(runner):
    global _runner
    _runner = runner


async def _run(agent, config):
    if behaviour.is_broken:
        raise ValueError("broken")
    if behaviour.works_in_thread:
        await asyncio.to_thread(len, "")
    if behaviour.leaves_task:
        asyncio.create_task(asyncio.sleep(60))
    while behaviour.is_stuck:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
    setup.get_trace_provider().create_trace(config.tracing_disabled)
    model = config.model_provider.get_model(agent.model)
    for _ in range(2):
        reply = await model.ask()
        made.append({"model": agent.model, "reply": re.search('"type": "(message|function_call)"', reply)[1]})
