// Replaces agents' names by their ids, wherever a call names an agent. Handlers and operations get ids only.

import type { Control } from "@dari/control/context";
import { findAgentIdsByName } from "@dari/control/publishing";
import { AppError, idPrefixes, invalidField, looksLikeAgentId } from "@dari/domain";

/** An object with an `agent_id`, and its path in the request. */
interface Place {
  readonly path: string;
  readonly holder: { agent_id?: unknown };
}

/**
 * Replaces each name in place. Ids cost nothing; all names of `parts` cost one query.
 * @param parts the path's parameters, the query, or the body, after validation
 * @throws AppError `not_found` for an unknown name; `invalid` if it looks like the id of something else.
 */
export async function resolveAgentNames(
  control: Control,
  organizationId: string,
  ...parts: readonly unknown[]
): Promise<void> {
  const named = parts.flatMap(placesIn).filter(({ holder }) => isName(holder.agent_id));
  if (named.length === 0) return;
  const names = new Set(named.map(({ holder }) => String(holder.agent_id)));
  const ids = await findAgentIdsByName(control, organizationId, [...names]);
  for (const { path, holder } of named) {
    const name = String(holder.agent_id);
    holder.agent_id = ids.get(name) ?? refuse(path, name);
  }
}

function isName(value: unknown): boolean {
  return typeof value === "string" && !looksLikeAgentId(value);
}

/** Returns where requests name agents: in the object itself, in `filter`, and in each of `items`. */
function placesIn(part: unknown): Place[] {
  if (typeof part !== "object" || part === null) return [];
  const { filter, items } = part as { readonly filter?: unknown; readonly items?: unknown };
  const places: Place[] = [{ path: "agent_id", holder: part }];
  if (typeof filter === "object" && filter !== null) places.push({ path: "filter.agent_id", holder: filter });
  if (!Array.isArray(items)) return places;
  const objects = items.filter((item): item is object => typeof item === "object" && item !== null);
  return [...places, ...objects.map((holder, index) => ({ path: `items[${index}].agent_id`, holder }))];
}

const otherPrefixes = Object.values(idPrefixes).map((prefix) => `${prefix}_`);

function refuse(path: string, name: string): never {
  if (otherPrefixes.some((prefix) => name.startsWith(prefix))) {
    throw invalidField(path, "expected an id that starts with 'agt_' or 'dep_', or the name of an agent");
  }
  throw new AppError(
    "not_found",
    `agent not found: this organization has no agent with the name ${JSON.stringify(name)}`,
  );
}
