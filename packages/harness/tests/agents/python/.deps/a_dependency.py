GREETING = "from .deps"
