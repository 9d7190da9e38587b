"""A support agent without a model: reads a ticket, classifies it by its words, writes a reply.

The entrypoint is a plain function, so dari.yml says `sdk: function`. Replace `classify` with a call of a model.
"""

import re
from pathlib import Path

VERDICTS = [
    (
        "billing",
        r"\b(invoice|charge[ds]?|refund|payment|billing|billed)\b",
        "We compare the charge with your order and refund what is wrong within three working days.",
    ),
    (
        "access",
        r"\b(password|log ?in|sign ?in|locked out|two-factor|2fa)\b",
        "We have sent a reset link to the address on file; it works for one hour.",
    ),
    (
        "defect",
        r"\b(error|crash(es|ed)?|broken|bug|fails?|not working)\b",
        "An engineer looks into it and reports back within one working day.",
    ),
]
GENERAL = ("general", "A colleague answers within two working days.")
URGENT = re.compile(r"\b(urgent|immediately|asap|outage|down|production)\b", re.IGNORECASE)


def classify(ticket: str) -> tuple[str, str]:
    for category, words, next_step in VERDICTS:
        if re.search(words, ticket, re.IGNORECASE):
            return category, next_step
    return GENERAL


def agent(prompt: str, context) -> str:
    workspace = Path(context.workspace)
    try:
        ticket = (workspace / "input" / "ticket.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "There is no input/ticket.txt yet. Send it along with the message."
    category, next_step = classify(ticket)
    priority = "high" if URGENT.search(ticket) else "normal"
    subject = ticket.strip().split("\n")[0]
    reply = "\n".join(
        [
            f"# Re: {subject}",
            "",
            "Thank you for writing to us.",
            "",
            f"- Category: {category}",
            f"- Priority: {priority}",
            f"- Asked of the agent: {prompt.strip()}",
            "",
            next_step,
            "",
        ]
    )
    output = workspace / "output"
    output.mkdir(exist_ok=True)
    (output / "reply.md").write_text(reply, encoding="utf-8")
    print(f"classified as {category}, priority {priority}, attempt {context.attempt}")
    return f"The ticket is about {category} (priority {priority}). The reply is in output/reply.md."
