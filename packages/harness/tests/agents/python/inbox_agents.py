# Agents that take messages while their turn runs. inbox-agents.mjs has the same for Node.
import asyncio


async def takesMessages(prompt, context):
    inbox = context.inbox
    before = [inbox.is_waiting, await inbox.take()]
    loop, hinted = asyncio.get_running_loop(), asyncio.Event()
    stop = inbox.on_waiting(lambda: loop.call_soon_threadsafe(hinted.set))
    context.emit("ready")
    await hinted.wait()
    stop()
    is_waiting = inbox.is_waiting
    taken = [inbox.take(), await inbox.take()]
    return {"before": before, "isWaiting": is_waiting, "taken": taken, "after": [inbox.is_waiting, inbox.take()]}


async def iteratesInbox(prompt, context):
    got = []
    context.emit("ready")
    async for message in context.inbox:
        got.append(message["text"])
        if message["text"] == "break":
            break
        context.emit("got", message["text"])
    return got + [message["text"] for message in context.inbox.take()]


async def iteratesForever(prompt, context):
    """Ends its iteration when it is stopped, and then its work."""
    context.emit("ready")
    async for _ in context.inbox:
        pass
    context.report_usage({"ended": 1})
