# Options of the SDK. The platform starts the SDK's client with them for each turn.

from claude_agent_sdk import ClaudeAgentOptions

# The session, the working directory and the prompt come from the platform.
agent = ClaudeAgentOptions(
    model="claude-sonnet-4-5",
    system_prompt=(
        "You write short reports about the files that people send you.\n"
        "Write each report as report.md in the working directory, and answer with a summary of two sentences."
    ),
    # The SDK refuses all other tools, because there is no user to ask for permission.
    allowed_tools=["Read", "Write", "Edit", "Glob", "Grep"],
    setting_sources=[],
    max_turns=20,
)
