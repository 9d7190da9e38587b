// The organization's limits, which operators set, with the current usage.

import type { OrganizationRecord, UsageRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { countText, sizeText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { Head } from "../../parts/head.tsx";
import { ErrorNote } from "../../parts/notes.tsx";
import { Gauge } from "../../parts/tiles.tsx";

interface Bound {
  readonly label: string;
  readonly says: string;
  readonly most: number | null;
  /** Undefined if the platform does not report it. */
  readonly used?: number;
  readonly say?: (amount: number) => string;
  /** The default, if the organization has no limit of its own. */
  readonly otherwise: string;
}

const platforms = "the platform’s default";

export function Bounds({ usage }: { readonly usage: UsageRecord }) {
  const { client } = useAccount();
  const organization = useLoaded("organization", (signal) => client.getOrganization("current", { signal }));
  if (organization.value === undefined) return <ErrorNote error={organization.error} retry={organization.reload} />;
  return (
    <table aria-label="Limits" className="bounds">
      <Head titles={["Limit", "Used", ["At the limit", "minor"]]} />
      <tbody>
        {boundsOf(organization.value, usage).map(({ label, says, most, used, say = countText, otherwise }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td>
              {used === undefined ? (
                <span>{most === null ? otherwise : say(most)}</span>
              ) : (
                <>
                  <Gauge label={label} used={used} most={most} say={say} />
                  {most === null && <span className="faint"> · {otherwise}</span>}
                </>
              )}
            </td>
            <td className="minor faint">{says}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function boundsOf(organization: OrganizationRecord, { now, kept }: UsageRecord): Bound[] {
  const perMinute = (amount: number): string => `${countText(amount)} a minute`;
  const perHour = (amount: number): string => `${sizeText(amount)} an hour`;
  const refused = "calls are refused with 429";
  const quota = { otherwise: "no limit", says: "creating more is refused" };
  return [
    {
      label: "Concurrent turns",
      ...{ most: organization.max_concurrency, used: now.turns, otherwise: platforms, says: "messages wait" },
    },
    {
      label: "Messages that wait or run",
      ...{ most: organization.max_backlog, used: now.open_messages, otherwise: platforms, says: refused },
    },
    { label: "Storage", ...quota, ...amounts(kept.storage_bytes), say: sizeText },
    { label: "Files", ...quota, ...amounts(kept.files) },
    { label: "Agents", ...quota, ...amounts(kept.agents) },
    { label: "Sessions", ...quota, ...amounts(kept.sessions) },
    { label: "API keys", ...quota, ...amounts(kept.api_keys) },
    {
      label: "Requests",
      ...{ most: organization.max_requests_per_minute, say: perMinute, otherwise: platforms, says: refused },
    },
    {
      label: "Messages sent",
      ...{ most: organization.max_messages_per_minute, say: perMinute, otherwise: platforms, says: refused },
    },
    {
      label: "Uploads",
      ...{ most: organization.max_upload_bytes_per_hour, say: perHour, otherwise: platforms, says: refused },
    },
    {
      label: "A workspace",
      ...{ most: organization.max_workspace_bytes, say: sizeText, otherwise: platforms, says: "the turn fails" },
    },
  ];
}

function amounts({ kept, max }: { readonly kept: number; readonly max: number | null }) {
  return { used: kept, most: max };
}
