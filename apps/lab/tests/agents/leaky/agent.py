# Says its secrets in every way it has, in six encodings, each in two pieces.

import base64
import json
import os
import sys
import time
import urllib.parse


def forms_of(secret):
    raw = secret.encode()
    return [
        secret,
        base64.b64encode(b"x" + raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        raw.hex(),
        urllib.parse.quote(secret),
        json.dumps(secret),
    ]


def pieces():
    for name in ("API_SECRET", "SESSION_SECRET"):
        for form in forms_of(os.environ[name]):
            half = len(form) // 2
            yield form[:half]
            time.sleep(0.015)
            yield form[half:] + "\n"


def agent(prompt, context):
    forms = forms_of(os.environ["API_SECRET"])
    if prompt == "half":
        half = f"half: {forms[0][:20]}"
        print(half, end="", flush=True)
        yield half
        time.sleep(60)
    for piece in pieces():
        for stream in (sys.stdout, sys.stderr):
            stream.write(piece)
            stream.flush()
        yield piece
    for form in forms:
        context.emit(form, {form: ["deep", {"form": form}]})
    for form in forms:
        context.tool("leak", {form: ["deep", {"form": form}]}, lambda **_: form)
    for form in forms:
        # Cut within the secret.
        context.tool("leak", {"text": "x" * 16_360 + form}, lambda text: text)
    with open("secret.txt", "w") as file:
        file.write("\n".join(forms))
    open(f"named-{forms[3]}.txt", "w").close()
    if prompt == "throw":
        raise RuntimeError(" ".join(forms)) from ValueError(forms[0])
