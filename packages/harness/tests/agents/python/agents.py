# Scripted agents: each function plays one case of the tests. agents.mjs beside it plays the same.
import asyncio
import os
import signal
import subprocess
import sys
import threading

from tool_agents import callsTools, callsTooManyTools, cancelsBeforeFirstStep, cancelsTool, cutsTexts
from tool_agents import failsAtLength, sendsMuch, showsBinary, showsPieces


def text(prompt):
    return f"you said: {prompt}"


def nothing():
    pass


async def asyncText(prompt: str = "default") -> str:
    return prompt.upper()


def parts(prompt):
    return {"parts": [{"type": "text", "text": "see"}, {"type": "file", "path": "output/a.txt"}]}


def number(prompt):
    return 42


def object(prompt):
    return {"answer": [1, None, "ä"]}


def generator(prompt):
    yield "one "
    yield "two "
    yield prompt


async def asyncGenerator(prompt):
    yield "a"
    yield 1
    yield "b😀"


def generatorWithReturn(prompt):
    yield "thinking…"
    return {"parts": [{"type": "text", "text": "final"}]}


def context(prompt, context):
    seen = {
        "sessionId": context.session_id,
        "messageId": context.message_id,
        "attempt": context.attempt,
        "parts": context.parts,
        "metadata": context.metadata,
        "history": context.history,
        "operationKey": context.operation_key,
        "traceparent": context.traceparent,
        "workspace": context.workspace,
        "emits": "function" if callable(context.emit) else "nothing",
        "aborted": context.cancelled.is_set(),
    }
    return {"seen": seen}


def surroundings(prompt):
    listing = subprocess.run(["/bin/ls", "-l", "/proc/self/fd"], capture_output=True, text=True, close_fds=False)
    return {"children": listing.stdout, "cwd": os.getcwd()}


def emits(prompt, context):
    context.emit("step", {"n": 1})
    context.emit("bare")
    return "done"


async def countsUsage(_prompt, context):
    context.report_usage({"input_tokens": 1, "cost_usd": 0.5})
    context.report_usage({"input_tokens": 10})
    return {"parts": [{"type": "text", "text": "counted"}], "usage": {"input_tokens": 100, "output_tokens": 3}}


def yieldsAndCountsUsage(_prompt):
    yield "counted"
    return {"parts": [{"type": "text", "text": "counted"}], "usage": {"output_tokens": 4}}


def returnsBadUsage(_prompt):
    return {"parts": [], "usage": {"input_tokens": "many"}}


def reportsAndThrows(_prompt, context):
    context.report_usage({"input_tokens": 5})
    raise ValueError("after it reported")


def reportsAndExits(_prompt, context):
    context.report_usage({"input_tokens": 6})
    os.kill(os.getpid(), signal.SIGKILL)


def reportsAndHangs(_prompt, context):
    context.report_usage({"input_tokens": 7})
    context.emit("reported")
    while True:
        pass


def reportsBadly(_prompt, context):
    def report(usage):
        try:
            return str(context.report_usage(usage))
        except TypeError as error:
            return f"TypeError: {error}"

    many = {f"name_{n}": 1 for n in range(33)}
    bad = [[1], None, {"inputTokens": 1}, {"input_tokens": -1}, {"input_tokens": "1"}, many]
    return "\n".join(report(usage) for usage in bad)


def asks(_prompt, context):
    context.emit("known", context.request_input("known", {"type": "object"}))
    context.request_input("approve", {"type": "boolean"}, prompt="may I?", expires_in_seconds=60)
    context.emit("too late")


async def asksPlainly(_prompt, context):
    context.request_input("a", {})
    return "an answer that is not heard"


def asksBadly(_prompt, context):
    cases = [
        ("", {}),
        (7, {}),
        ("not a key", {}),
        ("k", "no schema"),
        ("k", {"description": "x" * 20_000}),
        ("k", {}, "x" * 2_001),
        ("k", {}, None, 0),
    ]
    refused = []
    for asked in cases:
        try:
            context.request_input(*asked)
        except (TypeError, ValueError) as error:
            refused.append(str(error))
    return refused


def emitsTooMuch(prompt, context):
    refused = []

    def attempt(*args):
        try:
            context.emit(*args)
        except (TypeError, ValueError) as error:
            refused.append(str(error))

    attempt("big", "x" * 300_000)
    attempt("", 1)
    attempt("cyclic", {1, 2})
    deep = []
    for _ in range(126):
        deep = [deep]
    attempt("deep", [deep])
    attempt("deep enough", deep)
    for i in range(10_000):
        attempt("many", i)
    return {"count": len(refused), "last": refused[-1]}


def unserialisable(prompt):
    return {"lock": threading.Lock()}


def returnsFunction(prompt):
    return text


def badPart(prompt):
    return {"parts": [{"type": "text", "text": "fine"}, {"type": "image"}]}


def badPath(prompt):
    return {"parts": [{"type": "file", "path": "../../etc/passwd"}]}


def partsIsText(prompt):
    return {"parts": "no list"}


def tooLarge(prompt):
    return "x" * (9 * 1024 * 1024)


def yieldsTooMuch(prompt):
    while True:
        yield "x" * (1024 * 1024)


async def usesPackage(prompt):
    import dari_agent

    dari_agent.emit("from the package")
    return dari_agent.operation_key("pay")


class Refused(Exception):
    status_code = 401


def refused(prompt):
    raise Refused("no such key")


async def refusedInside(prompt):
    try:
        raise Refused("Unauthorized")
    except Refused as cause:
        raise RuntimeError("the model call failed") from cause


def throws(prompt):
    raise RuntimeError("no such luck")


def exits(prompt):
    sys.exit(3)


def exitsHard(prompt):
    os._exit(4)


def killed(prompt):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(prompt):
    while True:
        pass


async def waits(prompt, context):
    import asyncio

    context.emit("waiting")
    await asyncio.to_thread(context.cancelled.wait)
    context.emit("stopping", "cancelled")


def prints(prompt):
    print('{"t":"result","parts":[]}')
    print("to stderr", file=sys.stderr)
    return "printed"


def closesChannel(prompt):
    os.closerange(3, 256)
    return "unheard"


def forks(prompt):
    if os.fork() == 0:
        return "from the child"
    os.wait()
    return "from the parent"


def memoryError(prompt):
    raise MemoryError


def withOption(prompt, model="small"):
    return model


def withDefaultContext(prompt, run=None):
    return run.session_id


def keywordOnly(*, prompt, ctx):
    return f"{prompt} {ctx.session_id}"


def usesDependency(prompt):
    import a_dependency

    return a_dependency.GREETING


class Callable:
    async def __call__(self, prompt):
        return f"called with {prompt}"


instance = Callable()


class Agent:
    name = "assistant"


sdkAgent = Agent()


async def makesAgent():
    return sdkAgent


options = {"name": "coder", "instructions": "write code"}
constant = 7

before = []
loops = set()


async def again(prompt, context):
    loops.add(asyncio.get_running_loop())
    for one in before:
        one.emit("late")
    before.append(context)
    context.emit("heard", len(before))
    print(f"turn {len(before)}")
    asyncio.get_running_loop().create_task(asyncio.sleep(3600))
    return {"prompt": prompt, "turns": len(before), "cwd": os.getcwd(), "loops": len(loops)}


async def servers():
    """What is done to the servers of an agent and of the one that it hands over to, where the last cannot be reached."""
    from types import SimpleNamespace as Some

    from _dari_harness.sdk.openai_mcp import connected_servers

    calls = []

    class Server:
        def __init__(self, name, session=None):
            self.name, self.session = name, session

        async def connect(self):
            calls.append(f"connect {self.name}")
            if self.name == "broken":
                raise ValueError("no such server")

        async def cleanup(self):
            calls.append(f"close {self.name}")
            raise ValueError("not well")

    first = Server("first")
    other = Some(mcp_servers=[first, Server("broken")])
    error = "none"
    try:
        async with connected_servers(Some(mcp_servers=[Server("connected", True), first], handoffs=[other])):
            pass
    except ValueError as raised:
        error = str(raised)
    return {"calls": sorted(calls), "error": error}


def approvals():
    """What is asked for each of these calls, which all have one id but the last."""
    from types import SimpleNamespace as Some

    from _dari_harness.sdk.openai_approvals import decide

    asked = []

    def request_input(key, schema, prompt):
        asked.append({"key": key, "prompt": prompt})
        return {"approved": True}

    for responses, agent, name, given, *call_id in [
        [1, "Reader", "read_file", "{}"],
        [1, "Writer", "read_file", "{}"],
        [1, "Reader", "delete_all", "{}"],
        [1, "Reader", "read_file", '{"path":"' + "a" * 3_000 + 'z"}'],
        [2, "Reader", "read_file", "{}"],
        [1, "Reader", "read_file", "{}"],
        [1, "Reader", "read_file", "{}", "/" * 500],
    ]:
        raw = {"name": name, "arguments": given, "call_id": [*call_id, "call_0"][0]}
        item = Some(agent=Some(name=agent), raw_item=raw)
        held = Some(_model_responses=[{}] * responses, get_interruptions=lambda: [item], approve=lambda _: None)
        decide(held, Some(request_input=request_input))
    return asked
