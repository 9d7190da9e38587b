# What an agent sets for all its clients.

_client = _key = None
_use_responses = True


def set_default_openai_client(client):
    global _client
    _client = client


def get_default_openai_client():
    return _client


def set_default_openai_key(key):
    global _key
    _key = key


def get_default_openai_key():
    return _key


def set_use_responses_by_default(use_responses):
    global _use_responses
    _use_responses = use_responses


def get_use_responses_by_default():
    return _use_responses
