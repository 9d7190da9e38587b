// The sessions of `dari dev`: each save moves the conversation to a fork, and only the last one is kept.

import type { Client } from "@dari/client";

export interface DevSessions {
  /** Creates the first session. */
  begin(agentId: string, versionId: string): Promise<string>;
  /** Continues the conversation in a fork on another version. Returns the fork's id. */
  move(sessionId: string, versionId: string): Promise<string>;
  /**
   * Deletes the sessions that the conversation has left, if their forks have all their messages, and `current` if it
   * has no message. Never rejects.
   */
  end(current: string): Promise<void>;
}

interface DevSessionsOptions {
  readonly signal: AbortSignal;
  /** Called with each fork that has messages. `end` deletes a session without messages. */
  readonly onMoved: (sessionId: string) => Promise<void>;
}

/** Sessions that a person made with `/fork`, and those that were forked from, stay. */
export function createDevSessions(api: Client, { signal, onMoved }: DevSessionsOptions): DevSessions {
  const made = new Set<string>();
  /** The last message of each session that can be deleted, when it was forked. */
  const left = new Map<string, string | null>();
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
      const { last_message_id, last_message_status } = await api.getSession(sessionId, { signal });
      const fork = await api.forkSession(sessionId, { version_id: versionId }, { signal });
      // A fork ends with the last completed message.
      const isWhole = last_message_status === null || last_message_status === "completed";
      if (made.has(sessionId) && isWhole) left.set(sessionId, last_message_id);
      made.add(fork.id);
      if (fork.last_message_id !== null) await onMoved(fork.id);
      return fork.id;
    },
    async end(current) {
      if (made.has(current)) left.set(current, null);
      for (const [sessionId, last] of left) {
        // Messages can also be sent elsewhere, for example in the console.
        const record = await api.getSession(sessionId).catch(() => undefined);
        if (record?.last_message_id === last) await remove(sessionId);
      }
    },
  };
}
