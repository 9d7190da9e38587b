// The engine of turns: sessions, messages, dispatch, claims, and inputs that agents ask for.

export { claimTurn, pullTurn, type TurnClaim } from "./claims/claim-turn.ts";
export { finishTurn, type FinishContext } from "./claims/finish-turn.ts";
export {
  announceWorker,
  countAttempt,
  deleteSilentWorkers,
  recordLogs,
  recordStep,
  recordModelRequests,
  reserveModelRequest,
  recordTurnEvents,
  removeWorker,
  renewClaims,
  takeSteering,
  type AgentEvent,
  type ModelRequestRow,
  type NumberedEvent,
} from "./claims/held-turn.ts";
export { openLeaseConnections } from "./claims/lease-connections.ts";
export { loadTurn, type Turn, type TurnPart } from "./claims/load-turn.ts";
export { createWorkerLook, type WorkerLook } from "./claims/worker-look.ts";
export { createReaper } from "./claims/reap-sessions.ts";
export { createAdmission } from "./dispatch/admission.ts";
export { createBacklog } from "./dispatch/backlog.ts";
export { createDispatcher, dispatcherLead } from "./dispatch/dispatcher.ts";
export { workerSeenWithinMs } from "./dispatch/slot-limits.ts";
export { answerInput } from "./inputs/answer-input.ts";
export { askForLimit, type AskedLimit } from "./inputs/ask-for-limit.ts";
export { checkAskedInput } from "./inputs/check-asked-input.ts";
export { expireInputs } from "./inputs/expire-inputs.ts";
export { cancelMessage } from "./messages/cancel-message.ts";
export { checkMessagesAccepted } from "./messages/check-messages-accepted.ts";
export { findMessageInOrder } from "./messages/find-message-in-order.ts";
export { getMessage } from "./messages/get-message.ts";
export { includeToolCalls } from "./messages/include-tool-calls.ts";
export { findAnsweredConversation } from "./messages/find-answered-conversation.ts";
export { deleteSessionOfMessage } from "./messages/delete-session-of-message.ts";
export { listModelRequests } from "./messages/list-model-requests.ts";
export { listMessages } from "./messages/list-messages.ts";
export { readTurnActivity } from "./messages/read-turn-activity.ts";
export { readMessageLogs } from "./messages/read-message-logs.ts";
export { listRecordings, replayMessage } from "./messages/replay-message.ts";
export { retryMessage } from "./messages/retry-message.ts";
export { getBulkRetryReply, retryMessages } from "./messages/retry-messages.ts";
export { sendAgain } from "./messages/send-again.ts";
export { planFirstAttachments, sendMessage, type MessagePartToSend } from "./messages/send-message.ts";
export { sendAfterMessage } from "./messages/send-after-message.ts";
export { getSentEvent, sendAgentMessage } from "./messages/send-agent-message.ts";
export { waitForMessage } from "./messages/wait-for-message.ts";
export { completeSession } from "./sessions/complete-session.ts";
export { createSession } from "./sessions/create-session.ts";
export { deleteSession } from "./sessions/delete-session.ts";
export { handleSessionEnding } from "./sessions/handle-session-ending.ts";
export { forkSession } from "./sessions/fork-session.ts";
export { getSessionCost } from "./sessions/get-session-cost.ts";
export { getSession } from "./sessions/get-session.ts";
export { getTranscript } from "./sessions/get-transcript.ts";
export { listEvents, readEvents, readEventsCoalesced } from "./sessions/list-events.ts";
export { listAgentSessions, listSessions } from "./sessions/list-sessions.ts";
export { markUnstored } from "./sessions/mark-unstored.ts";
export { listSessionSummaries } from "./sessions/list-session-summaries.ts";
export { replaceSessionMetadata } from "./sessions/replace-metadata.ts";
export { rollBackSession } from "./sessions/roll-back-session.ts";
export { requestedLane } from "./views/message.ts";
