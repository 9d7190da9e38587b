// A sign-in for a demonstration: everyone can be anyone.

import { useState } from "react";

export function SignIn({ onSignedIn }: { onSignedIn: () => Promise<void> }) {
  const [failure, setFailure] = useState<string>();
  async function signIn(form: FormData): Promise<void> {
    const body = JSON.stringify({ name: form.get("name") });
    const reply = await fetch("/api/sign-in", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    if (reply.ok) return onSignedIn();
    setFailure(((await reply.json()) as { detail: string }).detail);
  }
  return (
    <form className="sign-in" action={signIn}>
      <h1>Chat</h1>
      <label>
        Your name <input name="name" required maxLength={100} autoFocus />
      </label>
      {failure && (
        <p className="failure" role="alert">
          {failure}
        </p>
      )}
      <button className="primary">Sign in</button>
    </form>
  );
}
