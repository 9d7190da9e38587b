"""Talks to an agent with OpenAI's package. OPENAI_BASE_URL and OPENAI_API_KEY name the platform and its key."""

import time

from openai import OpenAI

client = OpenAI()
# The name of an agent.
model = "notebook"


def answer_of(response):
    """A turn that fails is a response with the status "failed", not an HTTP error."""
    if response.status != "completed":
        raise RuntimeError(f"{response.id} is {response.status}: {response.error}")
    return response.output_text


def ended(response, seconds):
    """A response that waits for a person stays in progress, so the loop has an end."""
    deadline = time.monotonic() + seconds
    while response.status in ("queued", "in_progress"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{response.id} is still {response.status}")
        time.sleep(0.5)
        response = client.responses.retrieve(response.id)
    return response


print("# A conversation: each request names the response that it continues")
first = client.responses.create(model=model, input="Buy milk")
print(answer_of(first))
second = client.responses.create(model=model, input="Call Ann", previous_response_id=first.id)
print(answer_of(second))

print("# A branch: continues the first response again, with the files of that time")
branch = client.responses.create(model=model, input="Buy tea", previous_response_id=first.id)
print(answer_of(branch))

print("# A file, and a stream with tool calls: the agent has run them already")
with open("letter.txt", "rb") as letter:
    file = client.files.create(file=letter, purpose="user_data")
content = [{"type": "input_text", "text": "Count"}, {"type": "input_file", "file_id": file.id}]
stream = client.responses.create(model=model, input=[{"role": "user", "content": content}], stream=True)
for event in stream:
    if event.type == "response.output_text.delta":
        print(event.delta, end="", flush=True)
    if event.type == "response.output_item.done" and event.item.type == "mcp_call":
        print(f"[{event.item.name} {event.item.arguments}: {event.item.output}]")
    if event.type in ("response.failed", "response.incomplete"):
        answer_of(event.response)
print()
client.files.delete(file.id)

print("# In the background: ask for the response until it has ended")
job = client.responses.create(model=model, input="Buy bread", background=True)
print(answer_of(ended(job, 300)))

print("# Cancel")
long = client.responses.create(model=model, input="Think hard", background=True)
cancelled = ended(client.responses.cancel(long.id), 300)
print(cancelled.status)
