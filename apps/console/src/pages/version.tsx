// One version: its live build log, and its manifest.

import type { VersionRecord } from "@dari/contract";
import { useEffect, useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAgentNames } from "../data/agents.ts";
import { useLoaded } from "../data/load.ts";
import { AgentHosts } from "../parts/hosts.tsx";
import { Log } from "../parts/log.tsx";
import { ErrorNote, Loading } from "../parts/notes.tsx";
import { Page, Pending } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Source } from "./agent/agent.tsx";
import { SourceDiff } from "./agent/source-diff.tsx";

/** How often a version is loaded again while it is built, in milliseconds. */
const lookEveryMs = 1_000;

interface VersionProps {
  /** An id or a name, as the address has it. */
  readonly agentId: string;
  readonly versionId: string;
}

export function VersionPage({ agentId, versionId }: VersionProps) {
  const { client } = useAccount();
  const version = useLoaded(versionId, (signal) => client.getVersion(agentId, versionId, { signal }), {
    againAfterMs: ({ status }) => (status === "building" ? lookEveryMs : undefined),
  });
  const log = useBuildLog(versionId);
  const above = { to: `/agents/${agentId}`, label: useAgentNames()(version.value?.agent_id ?? agentId) };
  if (version.value === undefined) return <Pending of={version} title="Version" above={above} />;
  const { number, status, failure, warnings, manifest } = version.value;
  return (
    <Page title={`Version ${number}`} beside={<Status of={status} />} above={above}>
      {failure && (
        <p className="note bad">
          <code>{failure.code}</code> {failure.message}
        </p>
      )}
      {warnings.map((warning) => (
        <p key={warning} className="note">
          {warning}
        </p>
      ))}
      <dl className="properties">
        {Object.keys(version.value.metadata).length > 0 && (
          <>
            <dt>Source</dt>
            <dd>
              <Source of={version.value.metadata} />
            </dd>
          </>
        )}
        <dt>Connects to</dt>
        <dd>
          <AgentHosts manifest={manifest} />
        </dd>
      </dl>
      <Since agentId={agentId} version={version.value} />
      <h2>Build log</h2>
      <ErrorNote error={log.error ?? version.error} />
      {/* The rest of the page waits for the log, which would otherwise push it down. */}
      {log.text === undefined ? (
        log.error === undefined && <Loading />
      ) : (
        <Log
          text={log.text}
          label="Build log"
          empty="The build has printed nothing."
          isGrowing={status === "building"}
        />
      )}
      {(log.text !== undefined || log.error !== undefined) && (
        <>
          <h2>Manifest</h2>
          <Log text={JSON.stringify(manifest, null, 2)} label="Manifest" />
        </>
      )}
    </Page>
  );
}

/** Its text is undefined until the first piece or the end of the log arrives. */
function useBuildLog(versionId: string): { readonly text: string | undefined; readonly error: unknown } {
  const { client } = useAccount();
  const [text, setText] = useState<string>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const leaving = new AbortController();
    const read = async (): Promise<void> => {
      setText(undefined);
      for await (const piece of client.followBuildLogs(versionId, { signal: leaving.signal })) {
        setText((sofar = "") => sofar + piece);
      }
      setText((sofar = "") => sofar);
    };
    read().catch((caught: unknown) => {
      if (!leaving.signal.aborted) setError(caught);
    });
    return () => leaving.abort();
  }, [client, versionId]);
  return { text, error };
}

/** What changed in the source since the version before, if there is one. */
function Since({ agentId, version }: { readonly agentId: string; readonly version: VersionRecord }) {
  const { client } = useAccount();
  const { value } = useLoaded(`before ${version.id}`, async (signal) => {
    const { data } = await client.listVersions(agentId, { limit: 1, after: version.id }, { signal });
    return { before: data[0] };
  });
  if (value?.before === undefined) return null;
  return <SourceDiff agentId={agentId} from={value.before} to={version} />;
}
