# Replaces openai: a client that posts with its transport.

import httpx


class DefaultAsyncHttpxClient(httpx.AsyncClient):
    pass


class Responses:
    def __init__(self, client):
        self._client = client

    async def create(self, model):
        response = await self._client.http_client.post(f"{self._client.base_url}/responses")
        return response.content.decode()


class AsyncOpenAI:
    def __init__(self, api_key=None, base_url=None, http_client=None, max_retries=2):
        self.base_url, self.http_client = base_url, http_client
        self.responses = Responses(self)

    async def close(self):
        pass
