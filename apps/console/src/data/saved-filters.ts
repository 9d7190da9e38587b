// Filters of the list of sessions that a person has named. This browser keeps them, for each organization.

export interface SavedFilter {
  readonly name: string;
  /** The query of the list's address. */
  readonly query: string;
}

/** How many filters are kept. */
const filtersMax = 20;

function storedAs(organizationId: string): string {
  return `dari.filters.${organizationId}`;
}

export function readSavedFilters(organizationId: string): readonly SavedFilter[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storedAs(organizationId)) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isFilter).slice(0, filtersMax) : [];
  } catch {
    return [];
  }
}

function isFilter(value: unknown): value is SavedFilter {
  const { name, query } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof name === "string" && typeof query === "string";
}

/** Adds a filter or, with a known name, replaces it. Returns all filters. */
export function saveFilter(organizationId: string, filter: SavedFilter): readonly SavedFilter[] {
  const others = readSavedFilters(organizationId).filter(({ name }) => name !== filter.name);
  return store(organizationId, [...others, filter].slice(-filtersMax));
}

export function forgetFilter(organizationId: string, name: string): readonly SavedFilter[] {
  return store(
    organizationId,
    readSavedFilters(organizationId).filter((one) => one.name !== name),
  );
}

function store(organizationId: string, filters: readonly SavedFilter[]): readonly SavedFilter[] {
  localStorage.setItem(storedAs(organizationId), JSON.stringify(filters));
  return filters;
}
