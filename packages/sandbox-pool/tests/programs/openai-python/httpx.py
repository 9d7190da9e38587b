# The names of httpx that a client of openai needs, with a transport in memory.


class Response:
    def __init__(self, status, headers, content):
        self.status, self.headers, self.content = status, headers, content


class MockTransport:
    def __init__(self, handler):
        self.handler = handler


class AsyncClient:
    def __init__(self, transport=None):
        self.transport = transport

    async def aclose(self):
        pass

    async def post(self, request):
        return await self.transport.handler(request)
