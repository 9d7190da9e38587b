// Signing in with an API key, which this tab keeps.

import { useEffect, useState, type FormEvent } from "react";
import { forgetKey, signIn, storedKey, type Account } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { Copyable } from "../parts/copyable.tsx";
import { ErrorNote, Loading } from "../parts/notes.tsx";

export function SignInPage({ onSignedIn }: { readonly onSignedIn: (account: Account) => void }) {
  const [key, setKey] = useState("");
  const [isResuming, setResuming] = useState(storedKey() !== undefined);
  const enter = useAction(async (apiKey: string) => onSignedIn(await signIn(apiKey)));
  useEffect(() => {
    document.title = "Sign in · Dari";
    const known = storedKey();
    if (known === undefined) return;
    signIn(known).then(onSignedIn, () => {
      forgetKey();
      setResuming(false);
    });
  }, [onSignedIn]);
  if (isResuming) return <Loading />;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    enter.run(key.trim());
  };
  return (
    <main className="sign-in">
      <h1>Dari</h1>
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
        <ErrorNote error={enter.error} />
        <button type="submit" className="primary" disabled={enter.isRunning}>
          {enter.isRunning ? "Signing in …" : "Sign in"}
        </button>
      </form>
      <p id="key-help" className="faint">
        The key stays in this tab and is forgotten when you close it. Where the platform runs by <code>npm start</code>,
        an admin key is in
      </p>
      <Copyable text=".dari-data/connection.json" />
    </main>
  );
}
