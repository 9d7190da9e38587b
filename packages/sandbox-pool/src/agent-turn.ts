// What starting an agent's sandbox needs from the worker and from a claimed turn.

import type { ImageCache, Runtimes } from "@dari/builder";
import type { ImageRef } from "@dari/bundles";
import type { Redacted } from "@dari/domain";
import type { EgressOptions } from "@dari/gateway";
import type { Logger } from "@dari/runtime";
import type { SandboxDriver, SandboxLimits } from "@dari/sandbox";
import type { GuestScript } from "./guest-script.ts";
import type { SessionTurn } from "./recipe.ts";

/** The part of a claimed turn that decides how its sandbox is started. */
export interface AgentTurn extends SessionTurn {
  readonly organizationId: string;
  readonly versionId: string;
  readonly image: ImageRef;
  readonly manifest: {
    readonly sdk: string;
    readonly runtime: {
      readonly load?: "every_turn";
      readonly reuse?: "session";
      readonly memory?: string;
      readonly cpus?: number;
    };
    readonly limits?: object;
  };
  /** The most that the organization's turns get; null: as much as the platform allows. */
  readonly turnBounds?: { readonly memoryBytes: number | null; readonly cpus: number | null };
  readonly environment: Redacted<Record<string, string>>;
  /** The variables whose values belong to this session only. */
  readonly sessionSecrets: ReadonlySet<string>;
  /** The rules for connections, by who set them. */
  readonly egress: Readonly<Partial<Record<"organization" | "operator" | "session", unknown>>>;
  readonly scrubber: { json(value: unknown): unknown };
}

export interface AgentContext<T extends AgentTurn = AgentTurn> {
  readonly driver: SandboxDriver;
  readonly images: Pick<ImageCache, "ensure">;
  readonly runtimes: Pick<Runtimes, "resolve">;
  readonly guestScript: GuestScript;
  readonly log: Logger;
  /** Returns the host user of an organization. Absent if sandboxes run as this process's user. */
  readonly hostUserOf?: ((organizationId: string) => number) | undefined;
  /** What the turn's sandbox can connect to. */
  networkOf(turn: T): Pick<EgressOptions, "policy" | "secrets" | "models">;
  readonly settings: AgentSettings;
}

export interface AgentSettings {
  /** The limits of an agent that asks for nothing. */
  readonly limits: SandboxLimits & { readonly memoryBytes: number };
  /** The most that an agent gets, also if it asks for nothing. Absent: as much as `limits` has. */
  readonly bounds?: { readonly memoryMaxBytes?: number | undefined; readonly cpusMax?: number | undefined };
  /** How long a sandbox is kept for its session's next turn, in milliseconds; 0: none is kept. */
  readonly keepMs: number;
  /** Whether agents are loaded once and forked, if they and the driver allow it. */
  readonly usesTemplates: boolean;
}
