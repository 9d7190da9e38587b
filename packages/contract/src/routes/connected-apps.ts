// Apps that people connect by OAuth, such as MCP clients. OAuth's own endpoints are not routes of this contract.

import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, listOf, listQuery } from "../schemas/common.ts";
import * as apps from "../schemas/connected-apps.ts";

export const connectedAppRoutes = {
  getAppAuthorization: {
    method: "GET",
    path: "/v1/me/app-authorization",
    scope: "read",
    summary: "Get what an app asks for. For signed-in people.",
    query: apps.AppAuthorizationQuery,
    reply: apps.AppAuthorization,
    status: 200,
  },
  decideAppAuthorization: {
    method: "POST",
    path: "/v1/me/app-authorization",
    scope: "read",
    summary: "Approve or deny what an app asks for. For signed-in people.",
    request: apps.DecideAppAuthorizationRequest,
    reply: apps.AppDecided,
    status: 200,
  },
  listConnectedApps: {
    method: "GET",
    path: "/v1/me/apps",
    scope: "read",
    summary: "List the apps that the caller has connected, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("apps", apps.ConnectedApp),
    status: 200,
  },
  disconnectApp: {
    method: "DELETE",
    path: "/v1/me/apps/{api_key_id}",
    scope: "read",
    summary: "Disconnect an app of the caller. Its tokens stop working immediately.",
    reply: Deleted,
    status: 200,
  },
} as const satisfies Record<string, Route>;
