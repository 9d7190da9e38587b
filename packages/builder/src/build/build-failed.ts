// A build that failed because of its contents, not because of the platform.

import { failure, type Failure, type FailureCode } from "@dari/domain";

const messageCharsMax = 8000;

export class BuildFailedError extends Error {
  override readonly name = "BuildFailedError";
  readonly failure: Failure;

  constructor(message: string, code: FailureCode = "build_failed") {
    super(message);
    this.failure = failure(code, message.slice(0, messageCharsMax).toWellFormed());
  }
}
