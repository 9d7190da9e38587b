// From which origins browsers can use the tokens of the organization's sessions.

import { useState } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { DialogButton } from "../parts/dialog.tsx";
import { Form, FormEnd } from "../parts/form.tsx";
import { Hosts, hostsOf } from "../parts/hosts.tsx";
import { ErrorNote } from "../parts/notes.tsx";

/** A part of the settings page, for admins. */
export function AllowedOrigins() {
  const { client } = useAccount();
  const { value, error, reload } = useLoaded("origins", (signal) => client.getAllowedOrigins("current", { signal }));
  return (
    <>
      <h2>Allowed origins</h2>
      <p>Pages of these origins can call sessions with a session token. Your server asks for the token.</p>
      {value === undefined ? (
        <ErrorNote error={error} />
      ) : (
        <>
          {value.origins.length === 0 ? <p className="faint">None.</p> : <Hosts of={value.origins} />}
          <DialogButton label="Change" of="Change the allowed origins" title="Allowed origins">
            {(close) => <OriginsForm origins={value.origins} onSaved={reload} onClose={close} />}
          </DialogButton>
        </>
      )}
    </>
  );
}

interface OriginsFormProps {
  readonly origins: readonly string[];
  readonly onSaved: () => void;
  readonly onClose: () => void;
}

function OriginsForm({ origins, onSaved, onClose }: OriginsFormProps) {
  const { client } = useAccount();
  const [text, setText] = useState(origins.join("\n"));
  const save = useAction(async () => {
    await client.putAllowedOrigins({ origins: hostsOf(text) });
    onClose();
    onSaved();
  });
  return (
    <Form className="stacked" onSubmit={save.run}>
      <p>An origin that you remove is refused from its next call on. Open streams continue until their tokens end.</p>
      <label>
        <span>
          Origins <span className="faint">one per line</span>
        </span>
        <textarea
          autoFocus
          rows={4}
          spellCheck={false}
          placeholder={"https://app.example.com\nhttp://localhost:5173"}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <FormEnd action={save} verb="Save" onClose={onClose} />
    </Form>
  );
}
