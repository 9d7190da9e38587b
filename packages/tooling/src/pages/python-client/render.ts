// The generated half of the Python client, from the document that the API serves. If the client lacks an operation,
// this text differs from the committed one. The blocking methods are derived from these when the wheel is built.

import { readApiDocument } from "../api-document.ts";
import { methodOf } from "./operations.ts";
import { streamsModule } from "./streams.ts";
import { pythonTypes } from "./types.ts";

const folder = "packages/client-python/src/dari_client/generated";
const origin = "Generated from the platform's OpenAPI document; not edited by hand.";

/** Returns each file, by its path from the root of the repository, with its text. */
export function renderPythonClient(): Record<string, string> {
  const { places, schemas } = readApiDocument();
  const types = pythonTypes(schemas);
  return {
    [`${folder}/__init__.py`]: `"""${origin}"""\n`,
    [`${folder}/models.py`]: modelsModule(types.classes()),
    [`${folder}/streams.py`]: streamsModule(schemas, types, origin),
    [`${folder}/async_operations.py`]: operationsModule(places.map((place) => methodOf(place, types))),
  };
}

function modelsModule(classes: string): string {
  return `"""What the platform is sent and answers. ${origin}"""

from __future__ import annotations

import sys
from typing import Any, Generic, Literal, TypeVar, Union

if sys.version_info >= (3, 11):
    from typing import Never, NotRequired, TypedDict
else:
    from typing_extensions import Never, NotRequired, TypedDict

Row = TypeVar("Row")

#: The type of an event that this client does not know, as a literal: type checkers narrow a union only by those.
UnknownType = Literal[""]


class Page(TypedDict, Generic[Row]):
    """One page of a list; \`next\` is the \`after\` of the page after it."""

    data: list[Row]
    has_more: bool
    next: str | None


${classes}`;
}

function operationsModule(methods: readonly string[]): string {
  return `"""One method for each operation of the platform. ${origin}"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from .._async_transport import AsyncBody, AsyncTransport
from .._call import Call, Content, by_metadata, new_key, segment
from ..generated.models import *  # noqa: F403
from ..generated.streams import AnyStreamedEvent


class AsyncOperations(AsyncTransport):
    """Calls by name. They raise \`ApiError\` for refusals, \`UnreachableError\` when the platform is not reached."""

${methods.join("\n")}`;
}
