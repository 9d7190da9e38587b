// The credentials that a version names in dari.yml, and those of them that the organization does not have.

import type { VersionRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";
import { Link } from "../../parts/link.tsx";

export function Needs({ version: { manifest } }: { readonly version: VersionRecord }) {
  const { client, isAdmin } = useAccount();
  const needed = (manifest["secrets"] ?? []) as readonly string[];
  const { value } = useLoaded("credentials", async (signal) =>
    // Only admins may read the names.
    isAdmin && needed.length > 0 ? client.listCredentials("current", { limit: 100 }, { signal }) : undefined,
  );
  if (needed.length === 0) return null;
  const known = value?.data.map(({ name }) => name);
  const missing = known === undefined ? [] : needed.filter((name) => !known.includes(name));
  return (
    <>
      <p className="facts">
        <span className="faint">Credentials:</span>
        {needed.map((name) => (
          <span key={name} className="tag">
            <code>{name}</code>
          </span>
        ))}
      </p>
      {missing.length > 0 && (
        <p className="note wait">
          <span>
            Missing: {missing.map((name) => name).join(", ")}. Sessions need {missing.length === 1 ? "it" : "them"}.
          </span>
          <Link to="/credentials">Store {missing.length === 1 ? "it" : "them"}</Link>
        </p>
      )}
    </>
  );
}
