// The release of the platform. The API reports it, and the command compares it with its own.

export const dariRelease = "1.0.0";
