# Tools of an `Agent` that need approval (`needs_approval`): the run stops, its state is stored in the session's memory,
# and the approval is an input of the message (context.request_input). The attempt with the answer continues from that
# state.

import hashlib
import json
import re

_PROMPT_CHARS = 1_000
# Number of characters shown from the end of a long prompt. The hidden middle is replaced by its length.
_PROMPT_END_CHARS = 250
_CALL_CHARS = 80

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
    """What the memory stores of a waiting run."""
    text = state.to_string(context_serializer=lambda _: {})
    return {"message_id": context.message_id, "state": text}


async def resume_run(agent, memory: dict, context):
    """Returns the state of the run that waits in this message; None if there is none."""
    waiting = memory.get("waiting")
    if waiting is None or waiting["message_id"] != context.message_id:
        return None
    from agents import RunState

    return await RunState.from_string(agent, waiting["state"], context_override=context)


def decide(state, context) -> None:
    """Asks for one approval after the other, and applies the decisions."""
    for item in state.get_interruptions():
        name = _of(item.raw_item, "name") or "a tool"
        asked = f"{item.agent.name} wants to use {name} with {_arguments(item.raw_item)}"
        answer = context.request_input(_key(state, item, name), _DECISION, prompt=_cut(asked))
        if answer["approved"]:
            state.approve(item)
        else:
            state.reject(item, rejection_message=answer.get("reason"))


def _of(raw, name: str):
    return raw.get(name) if isinstance(raw, dict) else getattr(raw, name, None)


def _arguments(raw) -> str:
    return str(_of(raw, "arguments") or json.dumps(raw, default=str))


def _key(state, item, name: str) -> str:
    """
    The key is the same in every attempt, because it is computed from the stored state. Servers of models reuse ids for
    new calls, so it also covers everything that is decided, and how often the model had answered by then.
    """
    raw = item.raw_item
    call = str(_of(raw, "call_id") or _of(raw, "id") or name)
    asked = json.dumps([item.agent.name, name, _arguments(raw), call, len(state._model_responses)])
    digest = hashlib.sha256(asked.encode()).hexdigest()[:16]
    return f"approve-{re.sub(r'[^A-Za-z0-9._:-]', '-', call)[-_CALL_CHARS:]}-{digest}"


def _cut(text: str) -> str:
    if len(text) <= _PROMPT_CHARS:
        return text
    note = " [{} characters are not shown here] "
    start = _PROMPT_CHARS - _PROMPT_END_CHARS - len(note.format(len(text)))
    end = len(text) - _PROMPT_END_CHARS
    return text[:start] + note.format(end - start) + text[end:]
