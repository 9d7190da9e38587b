// The events of a stream as one Python type: a union of `StreamedEvent`, each with its type and its payload.

import { componentOf, type JsonSchema } from "../api-document.ts";
import type { PythonTypes } from "./types.ts";

/** Returns the module's text. `schemas`: the components of the OpenAPI document. */
export function streamsModule(
  schemas: Readonly<Record<string, JsonSchema>>,
  types: PythonTypes,
  origin: string,
): string {
  const arms = ["KnownEvent", "KnownPreview"].flatMap((union) => armsOf(schemas, union));
  const members = arms.map(({ name, type, data }) => {
    return member(`Literal["${type}"]`, types.expression(data, `${name}Data`));
  });
  return `"""Every event that a stream may send. ${origin}"""

from __future__ import annotations

from typing import Any, Literal, Union

from .._streamed_event import StreamedEvent
from .models import *  # noqa: F403

#: Narrows by \`type\`: after \`if event.type == "agent.event":\` the type of \`event.data\` is \`AgentEventEventData\`.
AnyStreamedEvent = Union[
${[...members, member("UnknownType", "dict[str, Any]")].join("\n")}
]
`;
}

const member = (type: string, data: string): string => `    StreamedEvent[${type}, ${data}],`;

interface Arm {
  readonly name: string;
  readonly type: string;
  readonly data: JsonSchema;
}

function armsOf(schemas: Readonly<Record<string, JsonSchema>>, union: string): Arm[] {
  const { mapping } = schemas[union]?.["discriminator"] as { mapping: Record<string, string> };
  return Object.entries(mapping).map(([type, reference]) => {
    const name = componentOf(reference);
    const properties = schemas[name]?.["properties"] as Record<string, JsonSchema>;
    return { name, type, data: properties["data"] ?? {} };
  });
}
