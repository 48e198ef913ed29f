import { api } from "./base";
import { ApiError, errorOf } from "./errors";
import type { Operations } from "./schema";
import { session } from "./session";

export type Operation = keyof Operations;
export type Query = Record<string, string | number | boolean | undefined>;

type PathOf<O extends Operation> = Operations[O] extends { path: infer P } ? { path: P } : { path?: undefined };
type BodyOf<O extends Operation> = Operations[O] extends { body: infer B } ? { body: B } : { body?: undefined };
type Options<O extends Operation> = PathOf<O> & BodyOf<O> & { query?: Query | URLSearchParams; signal?: AbortSignal };
type Arguments<O extends Operation> = Operations[O] extends { path: unknown } | { body: unknown }
  ? [options: Options<O>]
  : [options?: Options<O>];
export type Answer<O extends Operation> = Operations[O]["answer"];

function address(
  operation: string,
  path: Record<string, string> | undefined,
  query: Query | URLSearchParams | undefined,
) {
  const [method = "GET", template = "/"] = operation.split(" ");
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path?.[name] ?? ""));
  const url = new URL(filled.slice(1), api);
  if (query instanceof URLSearchParams) {
    url.search = query.toString();
  } else {
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
  }
  return { method, url };
}

async function send(
  operation: string,
  options: { path?: unknown; body?: unknown; query?: Query | URLSearchParams; signal?: AbortSignal } | undefined,
  token: string | null,
): Promise<Response> {
  const { method, url } = address(operation, options?.path as Record<string, string> | undefined, options?.query);
  const headers: Record<string, string> = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const init: RequestInit = { method, headers, cache: "no-store", credentials: "same-origin" };
  if (options?.body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  if (options?.signal) init.signal = options.signal;
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached");
  }
}

async function read(response: Response): Promise<unknown> {
  if (!response.ok) throw await errorOf(response);
  const text = await response.text();
  return text === "" ? undefined : JSON.parse(text);
}

/**
 * Calls an operation as who is logged in. When the session is over, the call waits for the next login and is sent
 * again, so that nothing typed is lost.
 */
export async function call<O extends Operation>(operation: O, ...args: Arguments<O>): Promise<Answer<O>> {
  for (;;) {
    const { token } = session.get();
    const response = await send(operation, args[0], token);
    if (response.status === 401 && token) {
      if (session.get().token === token) {
        session.expire(token);
        await session.renewed();
      }
      continue;
    }
    return (await read(response)) as Answer<O>;
  }
}

/** Calls an operation with the token given, or with none: the steps of a login. */
export async function callWith<O extends Operation>(
  token: string | null,
  operation: O,
  ...args: Arguments<O>
): Promise<Answer<O>> {
  return (await read(await send(operation, args[0], token))) as Answer<O>;
}

/** The body as it is, for downloads. */
export async function download(path: string, query: URLSearchParams): Promise<Blob> {
  const response = await send(`GET ${path}`, { query }, session.get().token);
  if (!response.ok) throw await errorOf(response);
  return response.blob();
}
