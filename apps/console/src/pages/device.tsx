// A command line asks to sign in, and a signed-in person approves or refuses.

import type { DeviceDecided } from "@dari/contract";
import { useState, type FormEvent } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { goTo } from "../data/route.ts";
import { ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Ago } from "../parts/time.tsx";

export function DevicePage({ query }: { readonly query: URLSearchParams }) {
  const code = query.get("code") ?? "";
  return (
    <Page
      title="Sign in a command line"
      says="It can then do what you can, until you revoke its key or leave the organization."
    >
      {code === "" ? <CodeForm /> : <Decision key={code} code={code} />}
    </Page>
  );
}

function CodeForm() {
  const [code, setCode] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    goTo(`/device?code=${encodeURIComponent(code.trim())}`, { replace: true });
  };
  return (
    <form className="inline" onSubmit={submit}>
      <label>
        Code that the command line shows
        <input
          required
          autoFocus
          autoComplete="off"
          placeholder="WDJB-MJHT"
          value={code}
          onChange={(event) => setCode(event.target.value)}
        />
      </label>
      <button type="submit" className="primary">
        Continue
      </button>
    </form>
  );
}

function Decision({ code }: { readonly code: string }) {
  const { client, member } = useAccount();
  const device = useLoaded(code, (signal) => client.getDeviceRequest({ user_code: code }, { signal }));
  const [decided, setDecided] = useState<DeviceDecided>();
  const decide = useAction(async (decision: "approve" | "deny") => {
    setDecided(await client.decideDeviceRequest({ user_code: code, decision }));
  });
  if (decided !== undefined) {
    return (
      <p className="note" role="status">
        {decided.decision === "approve"
          ? `${decided.device_name} is signed in as ${member?.email ?? "you"}. You can close this page.`
          : `You denied the sign-in of ${decided.device_name}.`}
      </p>
    );
  }
  if (device.value === undefined) {
    return device.error === undefined ? <Loading /> : <ErrorNote error={device.error} retry={device.reload} />;
  }
  const { user_code: shown, device_name: name, created_at: askedAt } = device.value;
  return (
    <>
      <dl className="properties">
        <dt>Code</dt>
        <dd>
          <code>{shown}</code>
        </dd>
        <dt>Device</dt>
        <dd>{name}</dd>
        <dt>Requested</dt>
        <dd>
          <Ago time={askedAt} />
        </dd>
      </dl>
      <p className="note wait">Approve it only if you started it yourself and it shows exactly this code.</p>
      <ErrorNote error={decide.error} />
      <div className="actions">
        <button type="button" className="primary" onClick={() => decide.run("approve")} disabled={decide.isRunning}>
          Approve
        </button>
        <button type="button" className="danger" onClick={() => decide.run("deny")} disabled={decide.isRunning}>
          Deny
        </button>
      </div>
    </>
  );
}
