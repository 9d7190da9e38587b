// The addresses of the console's pages for what a command has created.

export function agentAddress(apiUrl: string, agentId: string): string {
  return `${apiUrl}/console/agents/${agentId}`;
}

export function sessionAddress(apiUrl: string, sessionId: string): string {
  return `${apiUrl}/console/sessions/${sessionId}`;
}
