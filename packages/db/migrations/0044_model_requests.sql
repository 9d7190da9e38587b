-- Why: the requests of agents to models are listed with their tokens, as the agents' proxy reads them from the answers.
-- Locks: messages for a moment, for the foreign key.
-- Breaking for the release before: no. It writes none, and copies none to forks.

-- A request of an attempt. The last row of an attempt with very many requests counts those without a row of their own:
-- it has no host and no format.
create table model_requests (
  message_id text not null references messages (id) on delete cascade,
  fence bigint not null,
  ordinal int not null check (ordinal > 0),
  organization_id text not null,
  session_id text not null,
  attempt_id text not null,
  requests int not null check (requests > 0),
  host text,
  format text check (format in ('openai-responses', 'openai-chat', 'anthropic-messages', 'gemini')),
  model text,
  -- The status of the answer. Null: there was none.
  status int,
  input_tokens bigint,
  cached_input_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  finish_reason text,
  duration_ms bigint not null,
  is_complete boolean not null,
  -- Why the rest of the answer was not read.
  unread text check (unread in ('encoding', 'too_large', 'too_fast', 'too_many', 'malformed')),
  created_at timestamptz not null default clock_timestamp(),
  primary key (message_id, fence, ordinal)
);
