// What a route's handler is given and may answer. One call of one route, already authenticated and validated.

import type {
  ActivateVersionRequest,
  CreateAgentRequest,
  CreateApiKeyRequest,
  CreateInvitationRequest,
  CreateOrganizationRequest,
  CreateSessionRequest,
  CreateSourceSnapshotRequest,
  CreateVersionRequest,
  EnsureManagedKeyRequest,
  PathParameters,
  PutCredentialRequest,
  RouteName,
  routes,
  SendMessageRequest,
} from "@dari/contract";
import type { Actor, Control } from "@dari/control";
import type { Request, Response } from "express";

/** The validated body of each route that has one. */
interface Bodies {
  createSourceSnapshot: CreateSourceSnapshotRequest;
  createAgent: CreateAgentRequest;
  createVersion: CreateVersionRequest;
  activateVersion: ActivateVersionRequest;
  createSession: CreateSessionRequest;
  sendMessage: SendMessageRequest;
  sendMessageSync: SendMessageRequest;
  sendMessageAsync: SendMessageRequest;
  createOrganization: CreateOrganizationRequest;
  createApiKey: CreateApiKeyRequest;
  ensureManagedKey: EnsureManagedKeyRequest;
  createInvitation: CreateInvitationRequest;
  putCredential: PutCredentialRequest;
}

export interface Call<Name extends RouteName = RouteName> {
  readonly control: Control;
  /** Nobody's on routes without a key: such a handler authorizes by other means and looks at no row by it. */
  readonly actor: Actor;
  /** Decoded; ids have the prefix of their noun, agents' in their `agt_` form. */
  readonly params: PathParameters<(typeof routes)[Name]["path"]>;
  /** Every value once and storable as text; those the route's schema knows are valid. */
  readonly query: Readonly<Partial<Record<string, string>>>;
  readonly body: Name extends keyof Bodies ? Bodies[Name] : unknown;
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

export type Handlers<Names extends RouteName = RouteName> = { readonly [Name in Names]: Handler<Name> };
