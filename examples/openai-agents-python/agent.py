# An agent with two tools. One needs a person's approval. The platform passes the session's history to the agent.

from pathlib import Path

from agents import Agent, RunContextWrapper, function_tool


@function_tool
def save_itinerary(wrapper: RunContextWrapper, markdown: str) -> str:
    """Saves the itinerary as itinerary.md in the traveller's files. Overwrites the one before."""
    # The working directory is the session's workspace. Files written there are kept and listed as changed.
    Path("itinerary.md").write_text(markdown, encoding="utf-8")
    wrapper.context.emit("itinerary.saved", {"characters": len(markdown)})
    return "saved as itinerary.md"


# The caller approves the call (docs/inputs.md). Until then, the message waits and uses no worker.
@function_tool(needs_approval=True)
def book(what: str, euros: float) -> str:
    """Books what the traveller has chosen. A person must approve it first."""
    with Path("bookings.md").open("a", encoding="utf-8") as bookings:
        bookings.write(f"- {what}: {euros:g} EUR\n")
    return "booked"


agent = Agent(
    name="Trip planner",
    instructions=(
        "You plan trips. Ask for what you need to know, one question at a time.\n"
        "Save the itinerary whenever it has changed. "
        "Pictures and documents that the traveller sends are about the trip."
    ),
    tools=[save_itinerary, book],
)
