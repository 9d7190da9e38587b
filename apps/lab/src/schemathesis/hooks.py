# What Schemathesis cannot know: how a gzip body is sent, how long a URL can be, what the run itself depends on, that
# no event is sent to another machine, and that messages wait for a budget.

import gzip
import os
import re
from urllib.parse import urlencode

import schemathesis

# Node refuses longer heads with 431 before any route is reached.
URL_CHARS_MAX = 14_000
WEBHOOK_URL_CHARS_MAX = 2_048
RECEIVER = os.environ["DARI_RECEIVER"]
KEPT = set(filter(None, os.environ.get("DARI_KEPT", "").split(",")))


@schemathesis.serializer("application/gzip")
def send_gzip(ctx, value):
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "ignore")
    return gzip.compress(data) if len(data) % 2 else data


@schemathesis.hook
def filter_case(ctx, case):
    return len(urlencode(case.query or {}, doseq=True, errors="replace")) < URL_CHARS_MAX


def nowhere_else(value):
    """Replaces every value that could be a receiver's address with the address of the receiver on loopback."""
    text = re.sub(r"[\x00-\x20]", "", value).lower() if isinstance(value, str) else ""
    return RECEIVER if text.startswith("http") and len(value) <= WEBHOOK_URL_CHARS_MAX else value


def roomy(body):
    """A budget that holds nothing back: messages of later calls would wait for it, as they should, and time out."""
    return {
        name: 1_000_000 + value if name.startswith("max_") and type(value) is int and 0 <= value < 1_000_000 else value
        for name, value in body.items()
    }


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if isinstance(case.body, dict) and case.path.endswith("/budgets"):
        case.body = roomy(case.body)
    if isinstance(case.body, dict) and "url" in case.body:
        case.body = {**case.body, "url": nowhere_else(case.body["url"])}
    if case.method != "DELETE":
        return
    for name, value in (case.path_parameters or {}).items():
        if value in KEPT:
            case.path_parameters[name] = value + "0"
