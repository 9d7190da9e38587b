// Limits how many calls of one kind run at the same time in this process.

import { AppError, createSharedCount, type SharedBounds } from "@dari/domain";

const retryAfterSeconds = 2;

/**
 * Returns a function that takes a place for one call of an organization, until the place is disposed.
 * @param doing What such a call does, for the error: "reads bundles".
 */
export function createPlaces(bounds: SharedBounds, doing: string): (organizationId: string) => Disposable {
  const taken = createSharedCount(bounds);
  /** @throws AppError `limit_exceeded`, `unavailable` */
  return (organizationId) => {
    const over = taken.over(organizationId, 1);
    if (over === "perOrganization") {
      const detail = `limit reached: the organization already ${doing} in ${bounds.perOrganization} calls`;
      throw new AppError("limit_exceeded", `${detail}; retry when one has ended`, { retryAfterSeconds });
    }
    if (over === "perProcess") {
      const detail = `limit reached: this API process already ${doing} in ${bounds.perProcess} calls`;
      throw new AppError("unavailable", `${detail}; retry in a few seconds`, { retryAfterSeconds });
    }
    const leave = taken.add(organizationId, 1);
    return { [Symbol.dispose]: leave };
  };
}
