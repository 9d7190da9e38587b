# The agent of the chaos runs in isolation: src/chaos/load/agent.ts says what it is asked and what it answers.

import json
import os
import secrets
import subprocess
import time
import urllib.request


def fail(prompt, context):
    if context.attempt <= prompt["times"]:
        raise RuntimeError("as planned")


def hoard(*_):
    kept = []
    while True:
        kept.append(b"1" * (16 * 1024 * 1024))


def breed(*_):
    for _ in range(60):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    os._exit(4)


TASKS = {
    "work": lambda *_: None,
    "ask": lambda *_: None,
    "fail": fail,
    "exit": lambda *_: os._exit(3),
    "hoard": hoard,
    "breed": breed,
}


def agent(text, context):
    prompt = json.loads(text)
    call = secrets.token_hex(6)

    def tell(effect):
        fields = {"session": context.session_id, "message": context.message_id, "attempt": context.attempt, "call": call}
        line = {"effect": effect, "key": prompt["key"], **fields, "at": int(time.time() * 1000)}
        urllib.request.urlopen(os.environ["EFFECTS_URL"], (json.dumps(line) + "\n").encode()).read()

    tell("start")
    if prompt["do"] == "ask":
        context.request_input("go", {"const": prompt["key"]})
    with open("ledger.txt", "a") as ledger:
        ledger.write(call + "\n")
    time.sleep(prompt["ms"] / 1000)
    TASKS[prompt["do"]](prompt, context)
    tell("end")
    with open("ledger.txt") as ledger:
        return json.dumps({"key": prompt["key"], "call": call, "ledger": ledger.read().split()})
