// Signs in with an API key or through an identity provider, and leads back to the page that asked for it.

import { createClient } from "@dari/client";
import { useCallback, useEffect, useState, type FormEvent } from "react";
import { resumeAccount, signIn, type Account } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { isAppRequest, keepAppRequest } from "../data/app-request.ts";
import { useLoaded } from "../data/load.ts";
import { Copyable } from "../parts/copyable.tsx";
import { ErrorNote } from "../parts/notes.tsx";
import { Starting } from "../parts/starting.tsx";

export function SignInPage({ onSignedIn: show }: { readonly onSignedIn: (account: Account) => void }) {
  const onSignedIn = useCallback(
    (account: Account): void => {
      if (!leaveForRequestedPage()) show(account);
    },
    [show],
  );
  const [key, setKey] = useState("");
  const [isResuming, setResuming] = useState(true);
  const [away, setAway] = useState<unknown>();
  const enter = useAction(async (apiKey: string) => {
    onSignedIn(await signIn(apiKey));
  });
  useEffect(() => {
    document.title = "Sign in · Dari";
    resumeAccount().then(
      (account) => (account === undefined ? setResuming(false) : onSignedIn(account)),
      (error: unknown) => {
        setAway(error);
        setResuming(false);
      },
    );
  }, [onSignedIn]);
  if (isResuming) return <Starting />;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    enter.run(key.trim());
  };
  return (
    <main className="sign-in">
      <h1>Dari</h1>
      <Problem />
      <Provider />
      <form onSubmit={submit}>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          autoComplete="off"
          autoFocus
          required
          placeholder="dari_…"
          value={key}
          onChange={(event) => setKey(event.target.value)}
          aria-describedby="key-help"
        />
        <ErrorNote error={enter.error ?? away} />
        <button type="submit" className="primary" disabled={enter.isRunning}>
          {enter.isRunning ? "Signing in …" : "Sign in"}
        </button>
      </form>
      <p id="key-help" className="faint">
        This browser stays signed in for 30 days, or until the key ends. The key itself is not stored. With the command
        line signed in, this prints a link that needs no key:
      </p>
      <Copyable text="dari console" />
    </main>
  );
}

/**
 * Leaves for the platform's page outside the console that asked for the sign-in, such as the queue board. Returns
 * whether there is one.
 */
function leaveForRequestedPage(): boolean {
  const wanted = new URLSearchParams(location.search).get("return_to") ?? "";
  if (!/^\/(ops|docs)(\/[\w/-]*)?$/.test(wanted)) return false;
  location.replace(wanted);
  return true;
}

/** The button for the identity provider, if the platform has one. */
function Provider() {
  const config = useLoaded("auth config", (signal) =>
    createClient({ apiUrl: location.origin }).getAuthConfig({ signal }),
  );
  const { oidc = false, oidc_name: name = null } = config.value?.sign_in ?? {};
  if (!oidc) return null;
  return (
    <>
      <a className="button primary wide" href={providerHref()} onClick={keepAppRequest}>
        Sign in with {name ?? "your identity provider"}
      </a>
      <p className="faint">or with an API key:</p>
    </>
  );
}

/** Returns the address that leads to the provider and back to the requested page. */
function providerHref(): string {
  const { pathname, search } = location;
  const wanted = search.includes("problem=") || isAppRequest() ? pathname : pathname + search;
  return `/auth/oidc/start?return_to=${encodeURIComponent(wanted)}`;
}

/** Returns why the sign-in with the provider failed. */
const problems: Readonly<Record<string, string>> = {
  expired: "The sign-in took too long, or was begun in another browser. Try again.",
  refused: "The identity provider did not sign you in. Try again.",
  unavailable: "The identity provider cannot be reached at the moment.",
  no_email: "The identity provider names no verified address of yours. Its administrators can change that.",
  no_member: "You are not a member of an organization here. Ask an administrator for an invitation, and open its link.",
  several_members:
    "Several organizations have made your address a member, and you have not come into one of them this way yet. Ask " +
    "an administrator of yours for its sign-in address, /auth/oidc/start?organization=org_…, and type it in here.",
};

function Problem() {
  const words = problems[new URLSearchParams(location.search).get("problem") ?? ""];
  if (words === undefined) return null;
  return (
    <p className="note bad" role="alert">
      {words}
    </p>
  );
}
