// Which release of the platform this is: the API says it, the command compares it with its own.

export const dariRelease = "0.1.0";
