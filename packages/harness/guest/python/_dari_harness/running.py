# The context of the running turn, where the package dari_agent finds it. None: there is no turn.

context = None
