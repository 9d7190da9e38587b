import asyncio
from types import SimpleNamespace


class AgentRunner:
    async def run(self, agent, given, **options):
        return SimpleNamespace(final_output=await _answers(agent, given, options, asyncio.Queue()))

    def run_streamed(self, agent, given, **options):
        queue = asyncio.Queue()
        task = asyncio.create_task(_answers(agent, given, options, queue))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        return SimpleNamespace(run_loop_task=task, queue=queue)


_runner = AgentRunner()


def get_default_agent_runner():
    return _runner


def set_default_agent_runner(runner):
    global _runner
    _runner = runner


async def _answers(agent, given, options, queue):
    from . import RunHooks

    hooks, items = options.get("hooks") or RunHooks(), [{"role": "user", "content": given}]
    await hooks.on_agent_start(None, agent)
    while True:
        asked = _filtered(items, options.get("run_config"))
        await hooks.on_llm_start(None, agent, None, asked)
        agent.asked = [*getattr(agent, "asked", []), asked]
        answer = agent.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = await answer()
        for event in _events_of(answer):
            queue.put_nowait(event)
        await hooks.on_llm_end(None, agent, SimpleNamespace(output=answer, usage=None))
        calls = [item for item in answer if item["type"] == "function_call"]
        if not calls:
            agent.items = [*items, *answer]
            return answer[-1]["content"]
        items = [*items, *answer, *await asyncio.gather(*(_call(agent, call, hooks) for call in calls))]


def _filtered(items, config):
    data = SimpleNamespace(input=list(items))
    if config is not None:
        data = config.call_model_input_filter(SimpleNamespace(model_data=data))
    return data.input


async def _call(agent, call, hooks):
    tool = next((one for one in agent.tools if one.name == call["name"]), None)
    output = "refused"
    if tool is not None:
        context = SimpleNamespace(tool_call_id=call["call_id"])
        # The SDK calls hooks in tasks of their own.
        await asyncio.gather(hooks.on_tool_start(context, agent, tool))
        output = await tool.run(context)
        await asyncio.gather(hooks.on_tool_end(context, agent, tool, output))
    return {"type": "function_call_output", "call_id": call["call_id"], "output": output}


def _events_of(answer):
    def event(type, **fields):
        return SimpleNamespace(type=f"response.{type}", **fields)

    yield event("created")
    for index, item in enumerate(answer):
        at = {"output_index": index}
        yield event("output_item.added", item=SimpleNamespace(**item), **at)
        if item["type"] == "reasoning":
            for number, part in enumerate(item["summary"]):
                yield event("reasoning_summary_part.added", summary_index=number, **at)
                yield event("reasoning_summary_text.delta", delta=part["text"], **at)
        elif item["type"] == "function_call":
            for piece in (item["arguments"][:3], item["arguments"][3:]):
                yield event("function_call_arguments.delta", delta=piece, **at)
        else:
            yield event("output_text.delta", delta=item["content"], **at)
    yield event("completed", response=SimpleNamespace(status="completed", incomplete_details=None))
