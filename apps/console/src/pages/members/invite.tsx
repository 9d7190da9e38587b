// Invites a person by email address. The inviting person sends the link.

import { roles, type Role } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { Form } from "../../parts/form.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

interface InviteProps {
  readonly onInvited: (made: { readonly email: string; readonly url: string } | undefined) => void;
}

export function Invite({ onInvited }: InviteProps) {
  const { client } = useAccount();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("member");
  const invite = useAction(async () => {
    const { url } = await client.createInvitation({ email: email.trim(), role });
    onInvited(url === undefined ? undefined : { email: email.trim(), url });
    setEmail("");
  });
  return (
    <Form className="inline" onSubmit={invite.run}>
      <label>
        Email
        <input
          data-search
          type="email"
          required
          maxLength={254}
          placeholder="person@example.com"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </label>
      <label>
        Role
        <select value={role} onChange={(event) => setRole(roles.find((one) => one === event.target.value) ?? "member")}>
          {roles.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="submit" className="primary" disabled={invite.isRunning}>
        Invite
      </button>
      <ErrorNote error={invite.error} />
    </Form>
  );
}
