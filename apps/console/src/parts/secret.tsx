// A secret that the platform shows once.

import { Copyable } from "./copyable.tsx";
import { Dialog } from "./dialog.tsx";

interface SecretProps {
  readonly title: string;
  readonly says?: string;
  readonly secret: string;
  readonly onClose: () => void;
}

export function Secret({ title, says, secret, onClose }: SecretProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p>It is shown this once. Keep it where secrets are kept. {says}</p>
      <Copyable text={secret} />
      <div className="actions">
        <button type="button" className="primary" onClick={onClose}>
          I have it
        </button>
      </div>
    </Dialog>
  );
}
