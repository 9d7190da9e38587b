// Shows the conversation of the person who is signed in.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ChatPage } from "./chat-page.tsx";
import { openConversation } from "./conversation.ts";
import { getAccess, Refusal } from "./dari.ts";
import { SignIn } from "./sign-in.tsx";
import "./style.css";

const root = createRoot(document.getElementById("root")!);

async function show(): Promise<void> {
  try {
    const access = await getAccess();
    const render = (failure?: string): void =>
      root.render(
        <StrictMode>
          <ChatPage conversation={conversation} sessionId={access.sessionId} failure={failure} />
        </StrictMode>,
      );
    const conversation = openConversation(access, render);
    render();
    await conversation.sync();
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return root.render(<SignIn onSignedIn={show} />);
    root.render(
      <p className="failure" role="alert">
        {String(error)} <button onClick={() => void show()}>Try again</button>
      </p>,
    );
  }
}

void show();
