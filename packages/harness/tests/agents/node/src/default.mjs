export default { agent: (prompt) => `default ${prompt}` };
