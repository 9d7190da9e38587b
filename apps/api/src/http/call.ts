// One call of one route, already authenticated and validated: what its handler gets, and what it may answer.

import type { PathParameters, RequestOf, RouteName, routes } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import type { ReceivedExport } from "@dari/control/outbound";
import type { Request, Response } from "express";
import type { ReceivedFile } from "./upload.ts";

/** Bodies that are not JSON. They are stored before the handler runs. */
interface StoredBodies {
  createOpenAiFile: ReceivedFile;
  importSession: ReceivedExport;
  uploadFile: ReceivedFile;
}

export interface Call<Name extends RouteName = RouteName> {
  readonly control: Control;
  /** On routes without a key, an actor without an organization. Such a handler authorizes by other means. */
  readonly actor: Actor;
  /** Decoded. Each id has the prefix of its noun; agents' ids are in their `agt_` form. */
  readonly params: PathParameters<(typeof routes)[Name]["path"]>;
  /** Each parameter has one value that can be stored as text. Those that the route's schema names are valid. */
  readonly query: Readonly<Partial<Record<string, string>>>;
  /** Valid; `never` if the route has no body. */
  readonly body: Name extends keyof StoredBodies ? StoredBodies[Name] : RequestOf<Name>;
  /** Makes a repeated creation find the first one's resource. Undefined if the client did not send one. */
  readonly idempotencyKey: string | undefined;
  /** The id that the new resource gets, if the creator plans it and there is a key. */
  readonly plannedId?: string | undefined;
  /** Whether the route was called under `/v1/deployments`, where `id` is the `dep_` form. */
  readonly asDeployment: boolean;
  /** Aborts when the client goes away or the server drains. */
  readonly signal: AbortSignal;
  readonly settings: CallSettings;
  readonly request: Request;
  readonly response: Response;
}

/** Bounds that tests lower. */
export interface CallSettings {
  /** How long a sync call waits for its message, in milliseconds. */
  readonly syncWaitMs: number;
  /** Maximum size of an uploaded file, in bytes. */
  readonly fileBytes: number;
  /** Maximum size of an exported session, in bytes. */
  readonly exportBytes: number;
  /** Interval of a stream's comments, in milliseconds. */
  readonly heartbeatMs: number;
  /** A stream's reader that accepts nothing for this long is disconnected, in milliseconds. */
  readonly stalledMs: number;
  /** Calls without a valid key per address and minute; 0: no limit. */
  readonly unauthenticatedPerMinute: number;
  /** Proxies in front of the API. Their `X-Forwarded-For` entries say where a call comes from. */
  readonly trustedProxies: number;
  /** Name of the identity provider; null if there is none. */
  readonly oidcName: string | null;
}

/** A JSON reply with a status other than the route's first. */
export class Reply {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    this.status = status;
    this.body = body;
  }
}

/** Returns the JSON body or a `Reply`, or nothing if it has written the response itself. */
export type Handler<Name extends RouteName> = (call: Call<Name>) => Promise<object | Reply | void>;

type CreatingRouteName = {
  [Name in RouteName]: (typeof routes)[Name] extends { readonly idempotent: true } ? Name : never;
}[RouteName];

/** The handler of a route that accepts an `Idempotency-Key`. */
export interface Creator<Name extends RouteName> {
  /** Runs before `create`, outside its transaction: refuses the call, or stores bytes that its body has. */
  prepare?(call: Call<Name>): Promise<void>;
  /** Returns an id for `call.plannedId`. A creator that uses it saves a statement for each call with a key. */
  planId?(): string;
  /** Creates the resource. With a key it runs in a transaction, so it must not wait for others or store bytes. */
  create(call: Call<Name>): Promise<Created>;
  /**
   * Returns the resource as it is now, without secrets, whether this call or an earlier equal one created it. Returns
   * nothing if it has written the response itself.
   */
  read(call: Call<Name>, resourceId: string, how: { readonly isNew: boolean }): Promise<object | Reply | void>;
  /** Returns the key in the body, for routes whose body can have one. It counts as the header does. */
  keyIn?(body: Call<Name>["body"]): string | undefined;
  /**
   * Returns whether a repeated call without a key returns the resource of the first call, if that call's client
   * disconnected before the reply. Absent: never.
   */
  findsRepeated?(body: Call<Name>["body"]): boolean;
  /** Returns what makes two bodies equal (default: everything). */
  identify?(body: Call<Name>["body"]): unknown;
  /** Deletes what was received with a body if no resource was created from it. */
  discard?(call: Call<Name>): Promise<void>;
}

export interface Created {
  readonly resourceId: string;
  /** The reply. If absent, `read` answers the first call too. */
  readonly reply?: object;
}

/** A creating route without `read` is a compile error. */
export type Handlers<Names extends RouteName = RouteName> = {
  readonly [Name in Names]: Name extends CreatingRouteName ? Creator<Name> : Handler<Name>;
};
