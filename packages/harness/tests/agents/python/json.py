def agent(prompt):
    import json

    return f"{__name__} {json.dumps(prompt)}"
