// Where the console shows what a command has made.

export function agentAddress(apiUrl: string, agentId: string): string {
  return `${apiUrl}/console/agents/${agentId}`;
}

export function sessionAddress(apiUrl: string, sessionId: string): string {
  return `${apiUrl}/console/sessions/${sessionId}`;
}
