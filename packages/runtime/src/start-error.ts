// What whoever starts a program can mend.

/** The message is fit to be the last thing that the program prints: `runMain` shows it without a stack. */
export class StartError extends Error {
  override readonly name: string = "StartError";
}
