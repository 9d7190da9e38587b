# Messages that steer a run of openai-agents. The SDK calls a filter before each request to a model, when all results of
# the calls before it are there. The filter takes the messages that wait. The SDK's run does not keep them, so each
# later request and the stored conversation get them again, at the same place.

from .memory import fingerprint


class Steering:
    def __init__(self, inbox, run, to_item, saved: dict | None) -> None:
        """`run`: only its own requests take messages. `saved`: what `save` has returned before the run was stopped."""
        self._inbox = inbox
        self._run = run
        self._to_item = to_item
        # [place in the conversation without these messages, item]
        self._taken = saved["taken"] if saved else []
        # Identifies the last message.
        self.last = saved["last"] if saved else None

    def options(self) -> dict:
        """Returns options of the run: none for versions of the SDK that have no such filter."""
        try:
            from agents import RunConfig

            from .openai_runs import current_run

            self._is_inside = lambda: current_run() is self._run
            return {"run_config": RunConfig(call_model_input_filter=self._filter)}
        except (ImportError, TypeError):
            return {}

    def save(self) -> dict:
        return {"taken": self._taken, "last": self.last}

    def insert_into(self, items: list) -> list:
        """Returns the conversation with the messages in their places, never before the result of a call."""
        result, taken = [], list(self._taken)
        for at, item in enumerate(items):
            while taken and taken[0][0] <= at and not _is_result(item):
                result.append(taken.pop(0)[1])
            result.append(item)
        return [*result, *(item for _, item in taken)]

    def _filter(self, given):
        data = given.model_data
        # Agents that are tools run with the same configuration.
        if not self._is_inside():
            return data
        for message in self._inbox.take() if self._inbox.is_waiting else ():
            item = self._to_item({"role": "user", "parts": message["parts"]})
            self._taken.append([len(data.input), item])
            self.last = fingerprint(message["parts"])
        data.input = self.insert_into(data.input)
        return data


def _is_result(item) -> bool:
    return isinstance(item, dict) and str(item.get("type") or "").endswith("_output")
