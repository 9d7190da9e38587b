// A question or a message above the page. The browser keeps the focus in it and gives it back.

import { useEffect, useId, useRef, type ReactNode } from "react";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby={titleId} onClose={onClose}>
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly says: string;
  readonly verb: string;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, says, verb, onConfirm, onClose }: ConfirmProps) {
  const confirm = (): void => {
    onConfirm();
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{says}</p>
      <div className="actions">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" className="danger" onClick={confirm}>
          {verb}
        </button>
      </div>
    </Dialog>
  );
}
