# Functions that run agents themselves.

import asyncio
from types import SimpleNamespace

from agents import Agent, Runner, RunHooks


def says(text):
    return {"type": "message", "content": text}


def calls(name, arguments="{}"):
    return {"type": "function_call", "call_id": f"call {name}", "name": name, "arguments": arguments}


def tool(name, run):
    return SimpleNamespace(name=name, run=run)


async def add(_context):
    return "3"


async def divide(_context):
    return "An error occurred while running the tool. Please try again."


def new_counter():
    return Agent(name="Counter", answers=[[calls("add")], [says("three")]], tools=[tool("add", add)])


async def nested(_prompt):
    async def count(context):
        # The SDK's own tools for agents do this too.
        return (await Runner.run(new_counter(), "all", context=context)).final_output

    async def list_all(_context):
        return (await Runner.run(Agent(name="Lister", model="other/model", answers=[[says("one")]]), "all")).final_output

    first = [says("First."), calls("count"), calls("divide"), calls("refused")]
    answers = [first, [calls("list")], [says("done")]]
    tools = [tool("count", count), tool("divide", divide), tool("list", list_all)]
    result = await Runner.run(Agent(name="Planner", answers=answers, tools=tools), "hi")
    return result.final_output


async def fails(_prompt):
    async def hang(_context):
        await asyncio.Event().wait()

    async def boom(_context):
        raise ValueError("boom")

    heard = []

    class Own(RunHooks):
        async def on_llm_start(self, context, agent, system_prompt, input_items):
            heard.append(agent.name)

    agent = Agent(name="Planner", answers=[[calls("boom"), calls("hang")]], tools=[tool("boom", boom), tool("hang", hang)])
    try:
        await Runner.run(agent, "hi", hooks=Own())
    except ValueError:
        heard.append("boom")
    away = Agent(name="Away", answers=[RuntimeError("the model is away")])
    await asyncio.wait([Runner.run_streamed(away, "hi").run_loop_task])
    return heard


async def streams(_prompt, context):
    from _dari_harness.sdk.openai_activity import RecordedRun

    run = RecordedRun(context._activity)
    shown = run.stream()
    reasoning = {"type": "reasoning", "summary": [{"text": "I think"}, {"text": "so"}]}
    answers = [[reasoning, says("First."), calls("add", '{"a":1}'), calls("move")], [says("done")]]
    agent = Agent(name="Planner", answers=answers, tools=[tool("add", add)], handoffs=[SimpleNamespace(tool_name="move")])
    result = Runner.run_streamed(agent, "hi", hooks=run)
    texts = []
    while (event := await result.queue.get()) is not None:
        shown.take(event)
        if event.type == "response.output_text.delta":
            texts.append([event.delta, shown.ordinal])
    return texts


async def ends(_prompt, context):
    from _dari_harness.sdk.openai_activity import RecordedRun
    from _dari_harness.sdk.openai_chat import watch_answers
    from agents.models.chatcmpl_stream_handler import ChatCmplStreamHandler

    async def chunks():
        for reason in ("length", None):
            yield SimpleNamespace(choices=[SimpleNamespace(finish_reason=reason)])

    async def chat():
        async for _ in ChatCmplStreamHandler.handle_stream(None, chunks()):
            pass
        return [says("First.")]

    watch_answers()
    run = RecordedRun(context._activity)
    run.stream()
    # The stream is not read, so the answers do not say why they end, like those of a model of the agent's own.
    for name, answer in (("Chatter", chat), ("Own", [says("done")]), ("Chatter", chat)):
        await Runner.run(Agent(name=name, answers=[answer]), "hi", hooks=run)
    return "done"


class Inbox:
    def __init__(self):
        self._waiting = []

    @property
    def is_waiting(self):
        return bool(self._waiting)

    def put(self, text):
        self._waiting.append({"id": text, "parts": [{"type": "text", "text": text}]})

    def take(self):
        taken, self._waiting = self._waiting, []
        return taken


async def steers(_prompt, context):
    from _dari_harness.sdk.memory import fingerprint
    from _dari_harness.sdk.openai_activity import RecordedRun
    from _dari_harness.sdk.openai_steering import Steering

    inbox, run = Inbox(), RecordedRun(context._activity)

    def to_item(entry):
        return {"role": "user", "content": entry["parts"][0]["text"]}

    async def first_tool(tool_context):
        inbox.put("between")
        # An agent that is a tool runs with the same configuration, and takes no message.
        counter = new_counter()
        await Runner.run(counter, "all", context=tool_context, run_config=options["run_config"])
        return "three"

    async def last_tool(_context):
        inbox.put("after")
        return "four"

    answers = [[calls("first"), calls("add")], [calls("last")], [says("done")]]
    tools = [tool("first", first_tool), tool("add", add), tool("last", last_tool)]
    agent = Agent(name="Planner", answers=answers, tools=tools)
    inbox.put("before")
    steering = Steering(inbox, run, to_item, None)
    options = steering.options()
    await Runner.run(agent, "hi", hooks=run, **options)
    inbox.put("too late")
    # A run that waited for a person continues in another process.
    resumed = Steering(inbox, run, to_item, steering.save())
    last = [{"parts": [{"type": "text", "text": "after"}]}]
    return {
        "asked": [[_text_of(item) for item in asked] for asked in agent.asked],
        "kept": [_text_of(item) for item in resumed.insert_into(agent.items)],
        "knows_last": resumed.last == fingerprint(last[0]["parts"]),
        "waits": inbox.is_waiting,
    }


def _text_of(item):
    return item.get("content") or item.get("output") or item["name"]
