# Runners of exports that belong to an SDK; each is imported only for an export that needs it.
