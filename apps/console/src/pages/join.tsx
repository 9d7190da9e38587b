// Opens an invitation or a sign-in link. It works once, so a person must click: a link preview must not use it up.

import { useEffect, useState } from "react";
import { signInWithLink, type Account } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { goTo, hrefOf } from "../data/route.ts";
import { ErrorNote } from "../parts/notes.tsx";

export function JoinPage({ onSignedIn }: { readonly onSignedIn: (account: Account) => void }) {
  // Remove the secret from the address at once, because the browser's history keeps addresses.
  const [token] = useState(() => location.hash.slice(1));
  useEffect(() => {
    document.title = "Sign in · Dari";
    history.replaceState(null, "", hrefOf("/join"));
  }, []);
  const open = useAction(async () => {
    onSignedIn(await signInWithLink(token));
    goTo("/overview", { replace: true });
  });
  return (
    <main className="sign-in">
      <h1>Dari</h1>
      {token === "" ? (
        <p>This link is incomplete. Open the whole link, with the part behind the #.</p>
      ) : (
        <p>This link signs this browser in. It works once.</p>
      )}
      <ErrorNote error={open.error} />
      <button
        type="button"
        className="primary wide"
        autoFocus
        onClick={open.run}
        disabled={token === "" || open.isRunning}
      >
        Sign in
      </button>
    </main>
  );
}
