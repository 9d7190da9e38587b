def agent(prompt):
    return "never"


raise RuntimeError("top level trouble")
