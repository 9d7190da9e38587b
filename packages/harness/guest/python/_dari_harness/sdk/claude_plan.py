# The todos of a session of claude-agent-sdk. Older versions write the whole list with one tool. Newer ones have a list
# of tasks, which tools change one by one.

from ..activity import cut_text

_PLAN_ITEMS = 50
_PLAN_ITEM_CHARS = 500
_TOOLS = ("TodoWrite", "TaskCreate", "TaskUpdate", "TaskList")


class Plan:
    def __init__(self, saved: list | None) -> None:
        """`saved`: what `entries` of an earlier turn has returned."""
        self._tasks = {id: task for id, task in saved or []}

    def changes(self, tool: str) -> bool:
        return tool in _TOOLS

    def apply(self, tool: str, given: dict, output) -> list | None:
        """Applies a call that has succeeded. Returns the list after it; None if the call has changed nothing."""
        if tool == "TodoWrite":
            return [_item_of(one) for one in (given.get("todos") or [])[:_PLAN_ITEMS]]
        if output.get("success") is False:
            return None
        if tool == "TaskCreate":
            task = output["task"]
            self._tasks[task["id"]] = {"subject": task["subject"], "status": "pending"}
        elif tool == "TaskList":
            self._tasks = {task["id"]: {name: task[name] for name in ("subject", "status")} for task in output["tasks"]}
        elif given.get("status") == "deleted":
            self._tasks.pop(given["taskId"], None)
        elif given["taskId"] in self._tasks:
            changed = {name: given[name] for name in ("subject", "status") if given.get(name)}
            self._tasks[given["taskId"]].update(changed)
        return [_item_of(one) for one in list(self._tasks.values())[:_PLAN_ITEMS]]

    def entries(self) -> list:
        return [[id, task] for id, task in list(self._tasks.items())[:_PLAN_ITEMS]]


def _item_of(one: dict) -> dict:
    text = one.get("content") or one.get("subject")
    return {"text": cut_text(str(text), _PLAN_ITEM_CHARS), "status": str(one.get("status"))}
