// A peer: how a turn is queued and claimed, and how waiting callers are notified.

import type pg from "pg";
import type { NewTurn, TurnJob } from "./rows.ts";

export interface PeerSettings {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Turns at once per worker. */
  readonly slots: number;
}

export interface Producer {
  /** Writes the turn's rows and queues it. */
  send(turn: NewTurn): Promise<void>;
}

export interface Peer {
  /** Calls `onDone` with the id of each turn that has ended. */
  produce(pool: pg.Pool, settings: PeerSettings, onDone: (id: string) => void): Promise<Producer>;
  /** Runs turns as they arrive. */
  consume(pool: pg.Pool, settings: PeerSettings): Promise<void>;
}

export type { NewTurn, TurnJob };
