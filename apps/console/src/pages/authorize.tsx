// An app asks for access, and a signed-in person approves or denies it.

import type { AppAuthorization, AppAuthorizationQuery, AppScope } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { readAppRequest } from "../data/app-request.ts";
import { useLoaded } from "../data/load.ts";
import { useSettled } from "../data/use-settled.ts";
import { Empty, ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";

export function AuthorizePage({ query }: { readonly query: URLSearchParams }) {
  const request = readAppRequest(query);
  return (
    <Page title="Connect an app" says="It can then use the agents here, until you disconnect it.">
      {request === undefined ? (
        <Empty title="No app asks for access">
          Add this platform’s address in the app, which then opens this page.
        </Empty>
      ) : (
        <Decision key={query.toString()} request={request} />
      )}
    </Page>
  );
}

function Decision({ request }: { readonly request: AppAuthorizationQuery }) {
  const { client, member, organization } = useAccount();
  const asked = useLoaded(JSON.stringify(request), (signal) => client.getAppAuthorization(request, { signal }));
  const [decided, setDecided] = useState<"approve" | "deny">();
  const decide = useAction(async (decision: "approve" | "deny") => {
    // What the page shows. The platform refuses if the browser has signed in as someone else since.
    const shown = { organization_id: organization.id, ...(member && { member_id: member.id }) };
    const { redirect_to: next } = await client.decideAppAuthorization({ decision, ...shown, ...request });
    setDecided(decision);
    location.assign(next);
  });
  if (decided !== undefined) {
    return (
      <p className="note" role="status">
        {decided === "approve" ? "You approved it." : "You denied it."} Continue in the app. You can close this page.
      </p>
    );
  }
  if (asked.value === undefined) {
    return asked.error === undefined ? <Loading /> : <ErrorNote error={asked.error} retry={asked.reload} />;
  }
  const { problem, organization_id: organizationId, member_id: memberId } = asked.value;
  if (organizationId !== organization.id || memberId !== (member?.id ?? null)) {
    return (
      <p className="note bad" role="alert">
        This browser has signed in as someone else in another tab. Reload the page.
      </p>
    );
  }
  return (
    <>
      <Facts asked={asked.value} />
      {problem === null ? (
        <p className="note wait">{adviceOf(asked.value)}</p>
      ) : (
        <p className="note bad" role="alert">
          The app’s request is wrong: {problem.error_description}.
        </p>
      )}
      <ErrorNote error={decide.error} />
      <div className="actions">
        {problem === null && <ApproveButton onApprove={() => decide.run("approve")} isRunning={decide.isRunning} />}
        <button type="button" className="danger" onClick={() => decide.run("deny")} disabled={decide.isRunning}>
          {problem === null ? "Deny" : "Go back to the app"}
        </button>
      </div>
    </>
  );
}

interface ApproveProps {
  readonly onApprove: () => void;
  readonly isRunning: boolean;
}

/** A component of its own: the person's second begins when the button is shown. */
function ApproveButton({ onApprove, isRunning }: ApproveProps) {
  const isSettled = useSettled();
  return (
    <button type="button" className="primary" onClick={onApprove} disabled={isRunning || !isSettled}>
      Approve
    </button>
  );
}

const abilities: Readonly<Record<AppScope, string>> = {
  run: "create sessions and send messages",
  read: "read agents, sessions, messages and files",
};

function Facts({ asked }: { readonly asked: AppAuthorization }) {
  const { member, organization } = useAccount();
  return (
    <dl className="properties">
      <dt>App</dt>
      <dd>
        {asked.client_name} <span className="faint">(the app’s own words, not verified)</span>
      </dd>
      <dt>Answer goes to</dt>
      <dd>
        <code>{asked.redirect_host}</code> {asked.redirect_kind !== "website" && "on this computer"}
      </dd>
      <dt>Allows</dt>
      <dd>{asked.scopes.map((scope) => abilities[scope]).join("; ")}</dd>
      <dt>Organization</dt>
      <dd>
        {organization.name} <code>{organization.id}</code>{" "}
        <span className="faint">(to use another one, sign out and sign in there)</span>
      </dd>
      <dt>As</dt>
      <dd>{member?.email ?? "the organization, because you are signed in with its key"}</dd>
    </dl>
  );
}

function adviceOf({ redirect_kind: kind, redirect_host: host }: AppAuthorization): string {
  const begun = "Approve it only if you have just started this yourself";
  return kind === "website" ? `${begun} at ${host}, and trust that site.` : `${begun} in a program on this computer.`;
}
