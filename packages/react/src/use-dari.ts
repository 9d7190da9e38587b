// The hook: a session's conversation as React state, and what a page can do with it.

import { createClient, type Client } from "@dari/client";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { createActions, type Actions } from "./actions.ts";
import { ConversationStore, type ConversationState } from "./conversation-store.ts";

export interface DariOptions {
  /** The platform's address, without `/v1`. */
  readonly apiUrl: string;
  readonly sessionId: string;
  /** Gets a session token. Called again when the platform refuses the token. Throw if there is none. */
  readonly token: () => string | Promise<string>;
}

export interface Dari extends ConversationState, Actions {
  /** The client of the session's token, for everything else: files of the session, tool calls, diffs. */
  readonly client: Client;
}

/** Shows a session, from its first event on, and follows it while the component is mounted. */
export function useDari({ apiUrl, sessionId, token }: DariOptions): Dari {
  const newestToken = useRef(token);
  useEffect(() => {
    newestToken.current = token;
  });
  const { store, ...actions } = useMemo(() => {
    const client = createClient({ apiUrl, token: () => newestToken.current() });
    const conversation = new ConversationStore(client, sessionId);
    return { store: conversation, client, ...createActions(client, sessionId, conversation) };
  }, [apiUrl, sessionId]);
  useEffect(() => store.start(), [store]);
  const state = useSyncExternalStore(store.subscribe, store.getState, store.getState);
  return { ...state, ...actions };
}
