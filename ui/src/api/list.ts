/** What a list is asked for. Filters are ANDed; the keys are columns, several of them joined by `|`. */
export interface ListQuery {
  filter?: Record<string, string | undefined>;
  sort?: string;
  fields?: { resource: string; names: readonly string[] };
  limit?: number;
  offset?: number;
}

/** Writes a query in the list grammar of the API. */
export function listParams(query: ListQuery): URLSearchParams {
  const params = new URLSearchParams();
  if (query.sort) params.append("sort", query.sort);
  for (const [columns, value] of Object.entries(query.filter ?? {})) {
    if (value !== undefined && value !== "") params.append(`filter[${columns}]`, value);
  }
  if (query.fields) params.append(`fields[${query.fields.resource}]`, query.fields.names.join(","));
  if (query.limit !== undefined) params.append("page[limit]", String(query.limit));
  if (query.offset !== undefined && query.offset > 0) params.append("page[offset]", String(query.offset));
  return params;
}

/**
 * A filter value that matches whatever contains the text. The grammar has no escapes: commas separate values, so one
 * in the text matches any characters instead.
 */
export function containing(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed === "" ? undefined : `*${trimmed.replaceAll(",", "*")}*`;
}
