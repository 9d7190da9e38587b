# Like secret-calls.mjs, with Python's standard library.
import json, os, socket, sys, urllib.request

channel = socket.socket(fileno=3)
ours = json.loads(sys.argv[1])["ours"]
key = os.environ["API_KEY"]
asked = urllib.request.Request(ours + "/python", data=key.encode(), headers={"Authorization": "Bearer " + key})
with urllib.request.urlopen(asked) as response:
    answers = [[response.status, response.read().decode()]]
channel.sendall((json.dumps({"key": key, "answers": answers}) + "\n").encode())
