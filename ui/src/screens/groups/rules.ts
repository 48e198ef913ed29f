import { call } from "../../api/client";
import { listParams } from "../../api/list";
import type { Client, ClientGroupParamsBody } from "../../api/schema";
import { t } from "../../texts/en";

export type RuleName = keyof typeof t.ruleNames;

/** What a member has to fit. */
export interface Rule {
  name: RuleName;
  /** Patterns; `*` stands for any text. */
  values: readonly string[];
  /** Whether all of them are needed instead of one. Only tags know that. */
  isAll: boolean;
  /** Whether it was stored without values: then it fits clients that have nothing there. */
  isEmpty?: boolean;
}

const NAMES = Object.keys(t.ruleNames) as RuleName[];

/** Rules under other names in the list of clients. */
const COLUMNS: Partial<Record<RuleName, string>> = { tag: "tags", client_id: "id" };
/** Members whose names are shown in the preview. */
const SHOWN = 8;
/** Clients looked at where the list itself cannot tell. */
const MOST = 500;

export function rulesOf(params: ClientGroupParamsBody | null | undefined): Rule[] {
  return NAMES.flatMap((name): Rule[] => {
    const given = params?.[name];
    if (!given) return [];
    if (Array.isArray(given)) {
      return [{ name, values: given, isAll: false, ...(given.length === 0 ? { isEmpty: true } : {}) }];
    }
    return "and" in given ? [{ name, values: given.and, isAll: true }] : [{ name, values: given.or, isAll: false }];
  });
}

export function rulesBody(rules: readonly Rule[]): ClientGroupParamsBody {
  const body: ClientGroupParamsBody = {};
  for (const { name, values, isAll, isEmpty } of rules) {
    if (values.length === 0 && !isEmpty) continue;
    if (values.length === 0) body[name] = [];
    else if (name === "tag") body.tag = isAll ? { and: [...values] } : { or: [...values] };
    else body[name] = [...values];
  }
  return body;
}

/** Rules as short sentences. */
export function ruleWords(params: ClientGroupParamsBody | null | undefined): string[] {
  return rulesOf(params).map(({ name, values, isAll }) =>
    t.ruleIs(t.ruleNames[name], values.join(isAll ? t.ruleAnd : t.ruleOr) || t.none),
  );
}

/** Whether a text fits a pattern, in any letter case. */
export function fits(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[\\s\\S]*")}$`, "i").test(text);
}

export interface Preview {
  count: number;
  names: string[];
}

/** Who would be a member now; null where the list of clients cannot tell. */
export async function preview(rules: readonly Rule[], signal: AbortSignal): Promise<Preview | null> {
  if (rules.some((rule) => rule.isEmpty && rule.values.length === 0)) return null;
  const used = rules.filter((rule) => rule.values.length > 0);
  if (used.length === 0) return { count: 0, names: [] };
  const strict = used.find((rule) => rule.isAll && rule.values.length > 1);
  const filter = Object.fromEntries(
    used.map((rule) => [
      COLUMNS[rule.name] ?? rule.name,
      (rule === strict ? rule.values.slice(0, 1) : rule.values).join(","),
    ]),
  );
  const query = listParams({
    filter,
    sort: "name",
    fields: { resource: "clients", names: strict ? ["id", "name", "tags"] : ["id", "name"] },
    limit: strict ? MOST : SHOWN,
  });
  const { data, meta } = await call("GET /clients", { query, signal });
  // The list knows "one of these" only, so who has all tags is found here.
  const hasAll = (client: Client) =>
    strict?.values.every((pattern) => client.tags?.some((tag) => fits(pattern, tag))) ?? true;
  const members = data.filter(hasAll);
  return {
    count: strict ? members.length : meta.count,
    names: members.slice(0, SHOWN).map((client) => client.name || client.id || ""),
  };
}
