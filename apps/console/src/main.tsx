// Draws the console into the page.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { restoreAppRequest } from "./data/app-request.ts";
import { makeStreamsIterable } from "./data/iterable-streams.ts";
import "./style/base.css";
import "./style/frame.css";
import "./style/parts.css";
import "./style/pages.css";
import "./style/forms.css";
import "./style/data.css";
import "./style/lists.css";
import "./style/overview.css";
import "./style/rich.css";
import "./style/activity.css";
import "./style/timeline.css";

makeStreamsIterable();
restoreAppRequest();
const root = document.getElementById("root");
if (root === null) throw new Error("the page has no element for the console");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
