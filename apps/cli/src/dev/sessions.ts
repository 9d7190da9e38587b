// The sessions of `dari dev`: each save moves the conversation to a fork, and only the last one is kept.

import type { Client } from "@dari/client";

export interface DevSessions {
  /** Creates the first session. */
  begin(agentId: string, versionId: string): Promise<string>;
  /** Continues the conversation in a fork on another version. Returns the fork's id. */
  move(sessionId: string, versionId: string): Promise<string>;
  /** Deletes what the conversation has left behind, and `current` if nothing was said in it. Never rejects. */
  end(current: string): Promise<void>;
}

/** Sessions that a person made with `/fork`, and those that were forked from, stay. */
export function createDevSessions(api: Client, signal: AbortSignal): DevSessions {
  const made = new Set<string>();
  const left = new Set<string>();
  const remove = async (sessionId: string): Promise<void> => {
    // It has ended or was deleted, or the platform cannot be reached: the session stays.
    await api.deleteSession(sessionId).catch(() => undefined);
  };
  return {
    async begin(agentId, versionId) {
      const { id } = await api.createSession(agentId, { version_id: versionId, name: "dari dev" }, { signal });
      made.add(id);
      return id;
    },
    async move(sessionId, versionId) {
      const { id } = await api.forkSession(sessionId, { version_id: versionId }, { signal });
      if (made.has(sessionId)) left.add(sessionId);
      made.add(id);
      return id;
    },
    async end(current) {
      const record = await api.getSession(current).catch(() => undefined);
      if (made.has(current) && record?.last_message_id === null) left.add(current);
      for (const sessionId of left) await remove(sessionId);
    },
  };
}
