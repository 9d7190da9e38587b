# `python -m dari_agent run [entrypoint] <prompt>`: one turn of an agent in this folder, without a platform.

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from .local import LocalEvent, LocalInput, LocalTurn, run_locally

_SESSION = Path(".dari/local")
_HISTORY = _SESSION / "history.json"
_EXIT_CODES = {"completed": 0, "failed": 1, "waiting_for_input": 3}


def main() -> int:
    given = _arguments()
    words = given.words
    prompt = words[-1]
    entrypoint = words[0] if len(words) == 2 else _manifest_field("entrypoint")
    if entrypoint is None:
        return _refuse("there is no dari.yml here: name the entrypoint as <file>:<export>")
    _load_env_file(Path(".env"))
    if given.new:
        shutil.rmtree(_SESSION, ignore_errors=True)
    _SESSION.mkdir(parents=True, exist_ok=True)
    history = json.loads(_HISTORY.read_text()) if _HISTORY.exists() else []
    try:
        answers = dict(_read_answer(text) for text in given.answer)
        files = {os.path.basename(path): Path(path).read_bytes() for path in given.file}
    except (OSError, ValueError) as error:
        return _refuse(str(error))
    while True:
        turn = run_locally(
            entrypoint,
            prompt,
            answers=answers,
            files=files,
            history=history,
            workspace=str(_SESSION / "workspace"),
            home=str(_SESSION / "home"),
            sdk=given.sdk or _manifest_field("sdk") or "function",
            on_event=_show_event,
        )
        answer = None if turn.input is None else _ask(turn.input)
        if turn.input is None or answer is None:
            return _finish(turn, prompt, history)
        answers[turn.input.key] = answer


def _arguments() -> argparse.Namespace:
    about = "Runs one turn of the agent in this folder, without a platform and without a sandbox."
    parser = argparse.ArgumentParser(prog="python -m dari_agent", description=about)
    run = parser.add_subparsers(dest="command", required=True).add_parser("run", description=about)
    run.add_argument("words", nargs="+", metavar="[<file>:<export>] <prompt>")
    run.add_argument("--file", action="append", default=[], help="a file of the message; can be repeated")
    run.add_argument("--answer", action="append", default=[], metavar="<key>=<json>", help="an answer to request_input")
    run.add_argument("--sdk", help="sdk of dari.yml (default: what dari.yml says)")
    new = "start a new session; otherwise the one in .dari/local continues"
    run.add_argument("--new", action="store_true", help=new)
    given = parser.parse_args()
    if len(given.words) > 2:
        run.error("expected an entrypoint and a prompt")
    return given


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 2


def _manifest_field(name: str) -> str | None:
    """Returns a field of dari.yml on its own line, without reading the rest of the file."""
    manifest = Path("dari.yml")
    if not manifest.exists():
        return None
    found = re.search(rf"^{name}:[ \t]*([\"']?)([^\"'#\n]+?)\1[ \t]*(#.*)?$", manifest.read_text(), re.MULTILINE)
    return found.group(2) if found else None


def _load_env_file(path: Path) -> None:
    """Sets the variables of `NAME=value` lines that are not set."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        found = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", line)
        if found:
            name, value = found.groups()
            quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
            os.environ.setdefault(name, value[1:-1] if quoted else value)


def _read_answer(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise ValueError(f"--answer: expected <key>=<json>, got {text!r}")
    return key, json.loads(value)


def _show_event(event: LocalEvent) -> None:
    print(f"[{event.type}] {json.dumps(event.data)}", file=sys.stderr)


def _ask(asked: LocalInput) -> Any:
    """Asks at the terminal. Returns None if there is none."""
    print(f"\n{asked.prompt or asked.key}\n{json.dumps(asked.schema)}", file=sys.stderr)
    if not sys.stdin.isatty():
        print(f"Run it again with --answer '{asked.key}=<json>'.", file=sys.stderr)
        return None
    print("Answer as JSON: ", end="", file=sys.stderr, flush=True)
    return json.loads(sys.stdin.readline())


def _finish(turn: LocalTurn, prompt: str, history: list[Any]) -> int:
    if turn.status == "completed":
        files = [os.path.join(turn.workspace, part["path"].lstrip("/")) for part in turn.parts if "path" in part]
        print("\n".join([turn.text, *files]))
        asked = {"role": "user", "parts": [{"type": "text", "text": prompt}]}
        _HISTORY.write_text(json.dumps([*history, asked, {"role": "assistant", "parts": turn.parts}]))
    if turn.error is not None:
        print(f"{turn.error['code']}: {turn.error['stack'] or turn.error['message']}", file=sys.stderr)
    return _EXIT_CODES[turn.status]


if __name__ == "__main__":
    sys.exit(main())
