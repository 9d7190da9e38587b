// What a route's handler is given and may answer. One call of one route, already authenticated and validated.

import type { PathParameters, RequestOf, RouteName, routes } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import type { ReceivedExport } from "@dari/control/outbound";
import type { Request, Response } from "express";
import type { ReceivedFile } from "./upload.ts";

/** Bodies that are not JSON; they are stored before the handler runs. */
interface StoredBodies {
  importSession: ReceivedExport;
  uploadFile: ReceivedFile;
}

export interface Call<Name extends RouteName = RouteName> {
  readonly control: Control;
  /** Nobody's on routes without a key: such a handler authorizes by other means and looks at no row by it. */
  readonly actor: Actor;
  /** Decoded; ids have the prefix of their noun, agents' in their `agt_` form. */
  readonly params: PathParameters<(typeof routes)[Name]["path"]>;
  /** Every value once and storable as text; those the route's schema knows are valid. */
  readonly query: Readonly<Partial<Record<string, string>>>;
  /** Valid; `never` where the route takes none. */
  readonly body: Name extends keyof StoredBodies ? StoredBodies[Name] : RequestOf<Name>;
  /** What makes a repeated creation find the first one's resource; undefined where the client does not ask for that. */
  readonly idempotencyKey: string | undefined;
  /** The route was called under `/v1/deployments`, where `id` is the `dep_` form. */
  readonly asDeployment: boolean;
  /** Aborts when the client goes away or the server drains. */
  readonly signal: AbortSignal;
  readonly settings: CallSettings;
  readonly request: Request;
  readonly response: Response;
}

/** Bounds that tests narrow. */
export interface CallSettings {
  /** Milliseconds that a sync call waits for its message. */
  readonly syncWaitMs: number;
  /** Bytes of an uploaded file. */
  readonly fileBytes: number;
  /** Bytes of an exported session. */
  readonly exportBytes: number;
  /** Milliseconds between the comments of a stream. */
  readonly heartbeatMs: number;
  /** Milliseconds after which a stream's reader that takes nothing is cut off. */
  readonly stalledMs: number;
  /** Calls without a valid key that one address is answered in a minute; 0: no bound. */
  readonly unauthenticatedPerMinute: number;
  /** Proxies in front, whose `X-Forwarded-For` says where a call comes from. */
  readonly trustedProxies: number;
  /** What the identity provider is called; null: there is none. */
  readonly oidcName: string | null;
}

/** A JSON reply with another status than the route's first. */
export class Reply {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    this.status = status;
    this.body = body;
  }
}

/** Answers the JSON body, a `Reply`, or nothing when it has written the response itself. */
export type Handler<Name extends RouteName> = (call: Call<Name>) => Promise<object | Reply | void>;

type CreatingRouteName = {
  [Name in RouteName]: (typeof routes)[Name] extends { readonly idempotent: true } ? Name : never;
}[RouteName];

/** The handler of a route that takes an `Idempotency-Key`. */
export interface Creator<Name extends RouteName> {
  /** Makes the resource. With a key it runs in a transaction: it neither waits for others nor stores bytes. */
  create(call: Call<Name>): Promise<Created>;
  /**
   * Answers with the resource as it is now, without secrets; it was made by this call or by an equal one before.
   * Nothing when it has written the response itself.
   */
  read(call: Call<Name>, resourceId: string, how: { readonly isNew: boolean }): Promise<object | Reply | void>;
  /** The key that the body itself has, for routes whose body may; it counts as the header does. */
  keyIn?(body: Call<Name>["body"]): string | undefined;
  /** What makes two bodies the same; absent: all of them. */
  identify?(body: Call<Name>["body"]): unknown;
  /** Takes back what was received with a body of which nothing was made. */
  discard?(call: Call<Name>): Promise<void>;
}

export interface Created {
  readonly resourceId: string;
  /** The reply; absent: `read` answers the first call too. */
  readonly reply?: object;
}

/** A creating route without its `read` does not compile. */
export type Handlers<Names extends RouteName = RouteName> = {
  readonly [Name in Names]: Name extends CreatingRouteName ? Creator<Name> : Handler<Name>;
};
