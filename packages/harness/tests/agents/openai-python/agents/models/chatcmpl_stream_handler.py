class ChatCmplStreamHandler:
    @classmethod
    async def handle_stream(cls, response, stream):
        async for chunk in stream:
            yield chunk
