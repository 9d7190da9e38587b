# Tools of an `Agent` that need somebody's approval (`needs_approval`): the run stops, its state goes into the session's
# memory, and the approval is an input of the message (context.request_input). The attempt that has the answer goes on
# from that state, in place of beginning anew.

import json
import re

_PROMPT_CHARS = 1_000
_KEY_CHARS = 100

_DECISION = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "reason": {"type": "string", "description": "Told to the model where it was refused."},
    },
    "required": ["approved"],
    "additionalProperties": False,
}


def waiting_run(state, context) -> dict:
    """What the memory keeps of a run that waits."""
    text = state.to_string(context_serializer=lambda _: {})
    return {"message_id": context.message_id, "state": text}


async def resume_run(agent, memory: dict, context):
    """The state of the run that this message has left waiting; None when it has none."""
    waiting = memory.get("waiting")
    if waiting is None or waiting["message_id"] != context.message_id:
        return None
    from agents import RunState

    return await RunState.from_string(agent, waiting["state"], context_override=context)


def decide(state, context) -> None:
    """Asks for each approval, one after the other, and notes what was decided."""
    for item in state.get_interruptions():
        name = _of(item.raw_item, "name") or "a tool"
        asked = f"{item.agent.name} wants to use {name} with {_arguments(item.raw_item)}"
        answer = context.request_input(_key(item.raw_item, name), _DECISION, prompt=asked[:_PROMPT_CHARS])
        if answer["approved"]:
            state.approve(item)
        else:
            state.reject(item, rejection_message=answer.get("reason"))


def _of(raw, name: str):
    return raw.get(name) if isinstance(raw, dict) else getattr(raw, name, None)


def _arguments(raw) -> str:
    return str(_of(raw, "arguments") or json.dumps(raw, default=str))


def _key(raw, name: str) -> str:
    """The same in every attempt: of the call that the state holds."""
    call = _of(raw, "call_id") or _of(raw, "id") or name
    return "approve-" + re.sub(r"[^A-Za-z0-9._:-]", "-", str(call))[-_KEY_CHARS:]
