# The package as its users have it: functions of the running turn, and the local runner. Standard library only; run by
# packages/agent/tests/python.test.ts.

import os
import sys
import threading
import unittest
from pathlib import Path
from typing import Any

from dari_agent import (
    Context, cancelled, define_agent, emit, get_context, operation_key, report_usage, request_input, step, tool,
)
from dari_agent.local import LocalEvent, LocalInput, run_locally

APPROVAL = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


@tool(parameters={"type": "object"})
def divide(a: float, b: float) -> float:
    """Divides two numbers."""
    return a / b


@tool(name="later", description="Adds one.", parameters={"type": "object"})
async def add_one(value: int) -> int:
    return value + 1


class Locally(unittest.TestCase):
    def setUp(self) -> None:
        self.before = (os.getcwd(), list(sys.path), dict(os.environ))

    def tearDown(self) -> None:
        self.assertEqual(self.before[0], os.getcwd())
        self.assertEqual(self.before[2], dict(os.environ))
        with self.assertRaisesRegex(RuntimeError, "no turn is running"):
            get_context()

    def test_a_generator_is_streamed(self) -> None:
        @define_agent
        def agent(prompt: str, context: Context):
            yield f"{prompt} "
            yield str(context.attempt)

        streamed: list[str] = []
        turn = run_locally(agent, "hi", on_text=streamed.append)
        self.assertEqual(("completed", "hi 1", ["hi ", "1"]), (turn.status, turn.text, streamed))

    def test_an_async_generator_is_streamed(self) -> None:
        async def agent(prompt):
            yield prompt
            yield "!"

        self.assertEqual("hi!", run_locally(agent, "hi").text)

    def test_messages_wait_in_the_inbox(self) -> None:
        def agent(prompt: str, context: Context):
            waiting = context.inbox.is_waiting
            return [waiting, [message["text"] for message in context.inbox.take()], context.inbox.take()]

        turn = run_locally(agent, "go", inbox=["no, the other file"])
        self.assertEqual('[true,["no, the other file"],[]]', turn.text.replace(", [", ",[").replace(": ", ":"))

        async def later(prompt: str, context: Context) -> str:
            async for message in context.inbox:
                return f"{message['id']} {message['text']} {await context.inbox.take()}"
            return "none"

        self.assertEqual("msg_local_1 stop []", run_locally(later, "go", inbox=["stop"]).text)

    def test_steps_are_recorded_once(self) -> None:
        keys: list[str] = []

        async def agent(prompt: str) -> str:
            async def later(key: str) -> int:
                keys.append(key)
                return len(keys)

            ids = [step("pay", lambda key: keys.append(key) or len(keys)), await step("pay", later)]
            return f"{ids} {request_input('go-on', APPROVAL)['approved']}"

        waiting = run_locally(agent, "pay")
        self.assertEqual([("pay", 1), ("pay", 2)], [(one["name"], one["ordinal"]) for one in waiting.steps])
        turn = run_locally(agent, "pay", answers={"go-on": {"approved": True}}, steps=waiting.steps)
        self.assertEqual("[1, 2] True", turn.text)
        self.assertEqual(["msg_local.pay", "msg_local.pay#2"], keys)
        self.assertEqual(waiting.steps, turn.steps)
        replayed = {"name": "pay", "ordinal": 1, "is_replayed": True}
        self.assertIn(LocalEvent("step.completed", replayed), turn.events)

    def test_files_come_and_go(self) -> None:
        def agent(prompt: str, context: Context):
            file = context.parts[1]
            assert file["type"] == "file"
            Path("copy.txt").write_bytes(Path(file["local_path"]).read_bytes())
            return {"parts": [{"type": "text", "text": file["path"]}, {"type": "file", "path": "copy.txt"}]}

        turn = run_locally(agent, "copy", files={"a.txt": "content"})
        self.assertEqual("/input/a.txt", turn.text)
        self.assertEqual({"type": "file", "path": "copy.txt"}, turn.parts[1])
        self.assertEqual("content", Path(turn.workspace, "copy.txt").read_text())

    def test_a_question_ends_the_turn(self) -> None:
        async def agent(prompt: str) -> str:
            decision = request_input("go-on", APPROVAL, prompt="Go on?")
            return f"{prompt}: {decision['approved']}"

        waiting = run_locally(agent, "pay")
        self.assertEqual("waiting_for_input", waiting.status)
        self.assertEqual(LocalInput("go-on", APPROVAL, "Go on?"), waiting.input)
        self.assertEqual("pay: True", run_locally(agent, "pay", answers={"go-on": {"approved": True}}).text)

    def test_failures_have_the_codes_of_the_platform(self) -> None:
        class Refused(Exception):
            status_code = 401

        def fails(error):
            def agent(prompt):
                raise error
            return agent

        cases = [
            (fails(ValueError("no luck")), "agent_error", "ValueError: no luck"),
            (fails(Refused("no")), "credential_refused", "401 Unauthorized"),
            (lambda prompt: object(), "invalid_output", "cannot be written as JSON"),
            ({"model": "m"}, "unsupported_export", "sdk: claude-agent-sdk"),
            ("nowhere.py:agent", "entrypoint_not_found", "there is no file nowhere.py"),
        ]
        for agent, code, message in cases:
            with self.subTest(code):
                turn = run_locally(agent, "x")
                assert turn.error is not None
                self.assertEqual(("failed", code), (turn.status, turn.error["code"]))
                self.assertIn(message, turn.error["message"])

    def test_functions_use_the_running_turn(self) -> None:
        def agent(prompt: str, context: Context):
            emit("progress", {"percent": 50})
            report_usage({"input_tokens": 3})
            report_usage({"input_tokens": 4, "output_tokens": 1})
            same = get_context() is context and operation_key() == context.operation_key
            return f"{same} {operation_key('pay')} {cancelled().is_set()}"

        stopped = threading.Event()
        stopped.set()
        turn = run_locally(agent, "x", cancelled=stopped)
        self.assertEqual("True msg_local.pay True", turn.text)
        self.assertEqual({"input_tokens": 7, "output_tokens": 1}, turn.usage)
        self.assertEqual([LocalEvent("progress", {"percent": 50})], turn.events)

    def test_a_tool_records_its_calls(self) -> None:
        async def agent(prompt: str) -> str:
            half = divide(1, b=2)
            try:
                divide(1, 0)
            except ZeroDivisionError:
                pass
            return f"{half} {await add_one(1)} {divide.definition['description']}"

        turn = run_locally(agent, "x")
        self.assertEqual("0.5 2 Divides two numbers.", turn.text)
        ids = [event.data.pop("call_id") for event in turn.events]
        self.assertEqual([ids[0], ids[0], ids[2], ids[2], ids[4], ids[4]], ids)
        for event in turn.events:
            event.data.pop("duration_ms", None)
        failed = "ZeroDivisionError: division by zero"
        self.assertEqual(
            [
                ("tool.call_requested", {"name": "divide", "kind": "function", "arguments": {"b": 2, "args": [1]}}),
                ("tool.call_completed", {"name": "divide", "result": 0.5, "is_error": False}),
                ("tool.call_requested", {"name": "divide", "kind": "function", "arguments": {"args": [1, 0]}}),
                ("tool.call_completed", {"name": "divide", "result": failed, "is_error": True}),
                ("tool.call_requested", {"name": "later", "kind": "function", "arguments": {"args": [1]}}),
                ("tool.call_completed", {"name": "later", "result": 2, "is_error": False}),
            ],
            [(event.type, event.data) for event in turn.events],
        )

    def test_a_call_is_recorded(self) -> None:
        async def later(value: int) -> int:
            return value + 1

        async def agent(prompt: str, context: Context) -> str:
            now = context.tool("now", {"value": 1}, lambda value: value)
            return f"{now} {await context.tool('later', {'value': 1}, later)}"

        turn = run_locally(agent, "x")
        self.assertEqual("1 2", turn.text)
        self.assertEqual(["now", "now", "later", "later"], [event.data["name"] for event in turn.events])

    def test_a_tool_that_has_run_does_not_fail_because_of_its_event(self) -> None:
        deep: list[Any] = []
        for _ in range(200):
            deep = [deep]

        @tool(parameters={"type": "object"})
        def find() -> Any:
            return deep

        turn = run_locally(lambda prompt: str(find() is deep), "x")
        self.assertEqual("True", turn.text)
        self.assertEqual("[" * 201 + "]" * 201, turn.events[1].data["result"])


if __name__ == "__main__":
    unittest.main()
