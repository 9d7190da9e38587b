# Replaces the models of openai-agents.
