module.exports = { agent: (prompt) => `common ${prompt}` };
