// Errors at the start that the person who starts the program can fix.

/** `runMain` prints the message without a stack, as the last thing that the program prints. */
export class StartError extends Error {
  override readonly name: string = "StartError";
}
