// The service, asked over HTTP. The token is kept for this tab alone (`sessionStorage`), and goes into no address.

const KEY = "slackwater.token";
/** How long an answer may take before the service counts as away. */
const ANSWER_MS_MAX = 10_000;

/** The token, or why one is needed. */
export class TokenNeeded extends Error {
  /** @param {boolean} isWrong whether one was sent that the service does not take */
  constructor(isWrong) {
    super(isWrong ? "The service does not take this token." : "The service asks for a token.");
    this.isWrong = isWrong;
  }
}

/** No answer came. */
export class Unreachable extends Error {}

/** An answer that is an error: its status, and what its problem document says. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** @returns {string | null} */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** @param {string | null} given */
export function setToken(given) {
  if (given === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, given);
}

/**
 * An answer as JSON. Throws {@link TokenNeeded}, {@link Unreachable} or {@link Refused}.
 * @param {string} path
 * @param {AbortSignal} [ended]
 */
export async function json(path, ended) {
  return (await good(path, ended)).json();
}

/**
 * An answer as text. Throws as {@link json} does.
 * @param {string} path
 * @param {AbortSignal} [ended]
 */
export async function text(path, ended) {
  return (await good(path, ended)).text();
}

/**
 * Readiness, which is an answer whether its status is 200 or 503.
 * @param {AbortSignal} [ended]
 * @returns {Promise<{ready: boolean, detail: string, catching_up: null | {read: number, left: number}}>}
 */
export async function readiness(ended) {
  const answer = await asked("/readyz", ended);
  const body = await answer.json().catch(() => null);
  if (typeof body?.ready !== "boolean") throw new Unreachable(`/readyz answers ${answer.status}`);
  return body;
}

async function good(path, ended) {
  const answer = await asked(path, ended);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  const detail = problem?.detail ?? problem?.error ?? `${path} answers ${answer.status}`;
  const isStranger = answer.status === 401 || (answer.status === 403 && token() !== null);
  if (isStranger) throw new TokenNeeded(token() !== null);
  // What a proxy answers when nothing is behind it.
  if ([502, 504].includes(answer.status)) throw new Unreachable(detail);
  throw new Refused(answer.status, detail);
}

async function asked(path, ended) {
  const given = token();
  const late = AbortSignal.timeout(ANSWER_MS_MAX);
  try {
    return await fetch(path, {
      headers: given === null ? {} : { authorization: `Bearer ${given}` },
      signal: ended ? AbortSignal.any([ended, late]) : late,
      cache: "no-store",
    });
  } catch (error) {
    if (ended?.aborted) throw error;
    throw new Unreachable("The service does not answer.");
  }
}
