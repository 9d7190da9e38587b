import pickle
from dataclasses import dataclass

from .sibling import GREETING


@dataclass
class Answer:
    text: str


def agent(prompt):
    copy = pickle.loads(pickle.dumps(Answer(f"{GREETING} {prompt} in {__name__}")))
    return copy.text
