// The organization's name, ids and limits, each with what is used of it.

import type { OrganizationRecord } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { countText, dayText, sizeText } from "../data/format.ts";
import { useLoaded } from "../data/load.ts";
import { Id } from "../parts/copyable.tsx";
import { Head } from "../parts/head.tsx";
import { Page, Pending } from "../parts/page.tsx";
import { AllowedOrigins } from "./allowed-origins.tsx";
import { AnswerRecording } from "./answer-recording.tsx";

interface Limit {
  readonly name: keyof OrganizationRecord;
  readonly label: string;
  readonly say: (amount: number) => string;
  readonly kept?: "storage_bytes" | "files" | "agents" | "sessions" | "api_keys";
}

const bytes = (amount: number): string => sizeText(amount);
const limits: readonly Limit[] = [
  { name: "max_concurrency", label: "Concurrent turns", say: countText },
  { name: "max_backlog", label: "Open messages", say: countText },
  { name: "max_storage_bytes", label: "Storage", say: bytes, kept: "storage_bytes" },
  { name: "max_files", label: "Uploaded files", say: countText, kept: "files" },
  { name: "max_agents", label: "Agents", say: countText, kept: "agents" },
  { name: "max_sessions", label: "Sessions", say: countText, kept: "sessions" },
  { name: "max_api_keys", label: "API keys", say: countText, kept: "api_keys" },
  { name: "max_turn_memory_bytes", label: "Memory of a turn", say: bytes },
  { name: "max_turn_cpus", label: "Processors of a turn", say: String },
  { name: "max_workspace_bytes", label: "Workspace of a session", say: bytes },
  { name: "max_workspace_files", label: "Files in a workspace", say: countText },
  { name: "max_workspace_file_bytes", label: "One file of a workspace", say: bytes },
  { name: "session_retention_days", label: "Days that sessions are kept", say: countText },
  { name: "max_requests_per_minute", label: "Requests a minute", say: countText },
  { name: "max_messages_per_minute", label: "Messages a minute", say: countText },
  { name: "max_upload_bytes_per_hour", label: "Uploads an hour", say: bytes },
];

export function SettingsPage() {
  const { client, isAdmin, isOperator } = useAccount();
  const loaded = useLoaded("settings", async (signal) => {
    const [organization, usage] = await Promise.all([
      client.getOrganization("current", { signal }),
      client.getUsage("current", { days: 1 }, { signal }),
    ]);
    return { organization, usage };
  });
  if (loaded.value === undefined) return <Pending of={loaded} title="Settings" />;
  const { organization, usage } = loaded.value;
  const usedOf = ({ name, kept }: Limit): number | undefined => {
    if (name === "max_concurrency") return usage.now.turns;
    if (name === "max_backlog") return usage.now.open_messages;
    return kept && usage.kept[kept].kept;
  };
  return (
    <Page
      title="Settings"
      says={
        <>
          Operators change limits, for example with <code>dari org limits set</code>.
        </>
      }
    >
      <dl className="properties">
        <dt>Organization</dt>
        <dd>{organization.name}</dd>
        <dt>Id</dt>
        <dd>
          <Id of={organization.id} />
        </dd>
        <dt>Short name</dt>
        <dd>
          <code>{organization.slug}</code>
        </dd>
        <dt>Created</dt>
        <dd>{dayText(organization.created_at)}</dd>
        <dt>Share of slots</dt>
        <dd>weight {organization.weight}</dd>
        <dt>Operators</dt>
        <dd>{organization.is_operator ? "Its admin keys operate the installation." : "no"}</dd>
      </dl>
      {isAdmin && <AllowedOrigins />}
      {isAdmin && <AnswerRecording />}
      <h2>Limits</h2>
      <table aria-label="Limits">
        <Head titles={["Limit", ["Used", "number"], ["Allowed", "number"]]} />
        <tbody>
          {limits.map((limit) => {
            const most = organization[limit.name] as number | null;
            const used = usedOf(limit);
            return (
              <tr key={limit.name}>
                <th scope="row">{limit.label}</th>
                <td className="number">{used === undefined ? "" : limit.say(used)}</td>
                <td className="number">
                  {most === null ? <span className="faint">the platform’s default</span> : limit.say(most)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {isOperator && <Defaults />}
    </Page>
  );
}

function Defaults() {
  return (
    <p className="faint">
      The defaults are in the <a href="/docs">API reference</a> and in the documentation’s page on limits.
    </p>
  );
}
