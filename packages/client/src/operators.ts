// Calls about an organization as a whole, and about the installation. Operators can access every organization.

import type { MessagesRetried, ResealRequest, RetryMessagesRequest, UpdateOrganizationRequest } from "@dari/contract";
import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface Probe {
  /** The platform's release; undefined if it does not report one. */
  readonly release: string | undefined;
  /** The platform's clock, to the second; undefined if the reply does not contain it. */
  readonly serverTime: Date | undefined;
  readonly roundTripMs: number;
}

/** The health check reads every table. Milliseconds. */
const healthTimeoutMs = 300_000;

export function operatorCalls(transport: Transport) {
  const { call, open } = transport;
  const { derivedAll } = createDeriver(transport);
  const of = (organizationId: string) => ({ organization_id: organizationId });

  return {
    ...derivedAll("getOrganization", "listAuditLog"),

    /** Whether the platform answers; needs no key. */
    async probe(options?: CallOptions): Promise<Probe> {
      const startedAt = performance.now();
      const response = await open("getAuthConfig", { path: {}, options });
      const roundTripMs = performance.now() - startedAt;
      const date = response.headers.get("date");
      const { release } = (await response.json()) as { release?: string };
      return { release, serverTime: date === null ? undefined : new Date(date), roundTripMs };
    },

    /** Sets limits. Absent ones are not changed. For operators. */
    updateOrganization: (organizationId: string, body: UpdateOrganizationRequest, options?: CallOptions) =>
      call("updateOrganization", { path: of(organizationId), body, options }),

    /** Deletes the organization with everything that it owns. For operators. */
    deleteOrganization: (organizationId: string, options?: CallOptions) =>
      call("deleteOrganization", { path: of(organizationId), options }),

    /** Examines the installation. For operators. */
    operatorHealth: (options?: CallOptions) =>
      call("getOperatorHealth", { path: {}, options: { timeoutMs: healthTimeoutMs, ...options } }),

    /**
     * Checks whether stored objects exist and are intact; `next` is the `after` of the next step. `deep` reads every
     * byte of snapshots. For operators.
     */
    checkStore: (step: { after?: string; limit?: number; deep?: boolean } = {}, options?: CallOptions) =>
      call("checkStore", {
        path: {},
        query: { after: step.after, limit: step.limit, deep: step.deep === true ? "1" : undefined },
        options: { timeoutMs: healthTimeoutMs, ...options },
      }),

    /**
     * Re-encrypts stored secrets with the current master key; `next` is the `after` of the next step. For operators.
     */
    resealSecrets: (body: ResealRequest = {}, options?: CallOptions) =>
      call("resealSecrets", { path: {}, body, options: { timeoutMs: healthTimeoutMs, ...options } }),

    /** Retries the failed messages that match a filter, at most `limit`; `next` is the `after` of the next call. */
    retryMessages: (body: RetryMessagesRequest, options?: CallOptions): Promise<MessagesRetried> =>
      call("retryMessages", { path: {}, body, options }),
  };
}
