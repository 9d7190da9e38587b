// The members of the organization: their roles, their sign-in links, and open invitations.

import { roles, type InvitationRecord, type MemberRecord, type Role } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useList } from "../../data/load.ts";
import { ConfirmButton } from "../../parts/dialog.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { Secret } from "../../parts/secret.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Ago } from "../../parts/time.tsx";
import { Invite } from "./invite.tsx";

/** A new link, and the address of its member. */
interface MadeLink {
  readonly email: string;
  readonly url: string;
}

export function MembersPage() {
  const { client } = useAccount();
  const members = useList("members", (page) => client.listMembers("current", page));
  const invitations = useList("invitations", (page) => client.listInvitations("current", page));
  const [link, setLink] = useState<MadeLink>();
  const changeRole = useAction(async (id: string, role: Role) => {
    await client.updateMember(id, { role });
    members.reload();
  });
  const remove = useAction(async (id: string) => {
    await client.removeMember(id);
    members.reload();
  });
  const makeLink = useAction(async ({ id, email }: MemberRecord) => {
    setLink({ email, url: (await client.createSignInLink(id)).url });
  });
  const revoke = useAction(async (id: string) => {
    await client.deleteInvitation(id);
    invitations.reload();
  });
  return (
    <Page title="Members" says="People who sign in. Owners and admins manage the organization; members work in it.">
      <Invite
        onInvited={(made) => {
          invitations.reload();
          setLink(made);
        }}
      />
      <ErrorNote error={changeRole.error ?? remove.error ?? makeLink.error ?? revoke.error} />
      <Table
        label="Members"
        list={members}
        keyOf={({ id }) => id}
        columns={memberColumns({ changeRole: changeRole.run, makeLink: makeLink.run, remove: remove.run })}
        empty={<Empty title="No members yet">Invite the first one. Until then, only API keys can be used.</Empty>}
      />
      <h2>Invitations</h2>
      <Table
        label="Invitations"
        list={invitations}
        keyOf={({ id }) => id}
        columns={invitationColumns(revoke.run)}
        empty={<p className="faint">No open invitations.</p>}
      />
      {link && (
        <Secret
          title={`A link for ${link.email}`}
          says="Send it to the member. It signs in the first person who opens it, once."
          secret={link.url}
          onClose={() => setLink(undefined)}
        />
      )}
    </Page>
  );
}

interface MemberActions {
  readonly changeRole: (id: string, role: Role) => void;
  readonly makeLink: (member: MemberRecord) => void;
  readonly remove: (id: string) => void;
}

function memberColumns({ changeRole, makeLink, remove }: MemberActions) {
  return [
    { title: "Email", cell: ({ email }: MemberRecord) => email },
    {
      title: "Role",
      cell: ({ id, email, role }: MemberRecord) => (
        <select
          className="slim"
          aria-label={`Role of ${email}`}
          value={role}
          onChange={(event) => changeRole(id, roles.find((one) => one === event.target.value) ?? role)}
        >
          {roles.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      ),
    },
    {
      title: "Last signed in",
      cell: ({ last_signed_in_at: time }: MemberRecord) => <Ago time={time} />,
      isMinor: true,
    },
    { title: "Joined", cell: ({ created_at: time }: MemberRecord) => <Ago time={time} />, isMinor: true },
    {
      title: "Actions",
      isAction: true,
      cell: (member: MemberRecord) => (
        <>
          <button
            type="button"
            className="quiet"
            onClick={() => makeLink(member)}
            aria-label={`Sign-in link for ${member.email}`}
          >
            Sign-in link
          </button>
          <ConfirmButton
            label="Remove"
            of={`Remove ${member.email}`}
            tone="quiet"
            title={`Remove ${member.email}?`}
            says="Sign-ins, links and device keys of this person stop working at once."
            verb="Remove"
            onConfirm={() => remove(member.id)}
          />
        </>
      ),
    },
  ];
}

function invitationColumns(revoke: (id: string) => void) {
  return [
    { title: "Email", cell: ({ email }: InvitationRecord) => email },
    { title: "Role", cell: ({ role }: InvitationRecord) => role },
    {
      title: "Expires",
      cell: ({ expires_at: time }: InvitationRecord) =>
        Date.parse(time) < Date.now() ? <Status of="expired" /> : <Ago time={time} />,
    },
    { title: "Invited", cell: ({ created_at: time }: InvitationRecord) => <Ago time={time} />, isMinor: true },
    {
      title: "Revoke",
      isAction: true,
      cell: ({ id, email }: InvitationRecord) => (
        <button
          type="button"
          className="quiet"
          onClick={() => revoke(id)}
          aria-label={`Revoke the invitation of ${email}`}
        >
          Revoke
        </button>
      ),
    },
  ];
}
