/**
 * One door to the portal's API: JSON in and out, the CSRF header, and errors as one class.
 *
 * Every failure is a Failure: an answer of the portal (its code, message, hint, diagnostics) or a connection that did not
 * come about. Invariant: a 401 leads to the sign-in page with the way back, whoever asked. Aborted requests stay
 * AbortErrors, because nobody wants to hear of them.
 */
import { boot } from "./boot";
import type { Diagnostic, ErrorBody } from "./wire";

const BASE = "/api/muster/v1";

export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    readonly diagnostics: Diagnostic[] = [],
  ) {
    super(message);
  }
}

export interface Ask {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

/** Ask the API; resolves to the response of a success, rejects with Failure or AbortError. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: ask.accept ?? "application/json", "X-Muster-CSRF": boot.csrf };
  if (ask.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method: ask.method ?? (ask.body === undefined ? "GET" : "POST"),
      headers,
      credentials: "same-origin",
      body: ask.body === undefined ? null : JSON.stringify(ask.body),
      signal: ask.signal ?? null,
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(0, "unreachable", "The portal did not answer.", "Check the connection, then try again.");
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (response.status === 401 && path !== "/session") toSignIn();
  throw failure;
}

/** Ask the API for JSON. */
export async function json<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await send(path, ask);
  return (await response.json()) as T;
}

/** The address of a stream of server-sent events. */
export function eventsUrl(path: string): string {
  return BASE + path;
}

/** Whether an error only says that the asker changed their mind. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Any error as a Failure, for showing. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(0, "console", error instanceof Error ? error.message : String(error));
}

async function failureOf(response: Response): Promise<Failure> {
  try {
    const { error } = (await response.json()) as ErrorBody;
    return new Failure(response.status, error.code, error.message, error.hint ?? "", error.diagnostics ?? []);
  } catch {
    return new Failure(response.status, "unexpected", `The portal answered ${response.status} ${response.statusText}.`);
  }
}

/** What a page hears before it is left for sign-in: time to keep what is not saved. */
export const LEAVING = "muster:leaving";

/** Leave for the sign-in page, which comes back to this very address. */
export function toSignIn(): void {
  dispatchEvent(new Event(LEAVING));
  const back = encodeURIComponent(location.pathname + location.search);
  location.assign(`/sign-in?return=${back}${location.hash}`);
}
