/**
 * An error of the code table, as both halves know it.
 */
import { CodeName, CODES, ErrorInfo } from './generated';

/** A row of the code table and a sentence for a person. */
export class HubError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean = false,
    readonly retryAfterMs: number | null = null,
    readonly details: { [key: string]: unknown } | null = null
  ) {
    super(message);
    this.name = 'HubError';
  }

  /** An error that this half raises itself. */
  static of(code: CodeName, message: string): HubError {
    return new HubError(code, message, CODES[code].retryable);
  }

  /** An error that the server told. */
  static from(info: ErrorInfo): HubError {
    return new HubError(
      info.code,
      info.message,
      info.retryable,
      info.retry_after_ms ?? null,
      info.details ?? null
    );
  }
}

/** An error as it goes over a wire. */
export function errorInfo(error: HubError): ErrorInfo {
  const { code, message, retryable, retryAfterMs, details } = error;
  return {
    ...{ code, message, retryable, details },
    retry_after_ms: retryAfterMs
  };
}

const FIRST_FINAL = 4500;
const LAST_FINAL = 4999;
const NORMAL = 1000;

/** Whether a client may connect again after a socket closed with this code: the number's range is the verdict. */
export function mayReconnect(closeCode: number): boolean {
  return (
    closeCode !== NORMAL &&
    !(closeCode >= FIRST_FINAL && closeCode <= LAST_FINAL)
  );
}

/** The name in the code table for a close code, null if it has none. */
export function codeName(closeCode: number): CodeName | null {
  for (const [name, row] of Object.entries(CODES)) {
    if (row.number === closeCode) {
      return name as CodeName;
    }
  }
  return null;
}

/** The error for a close code. */
export function closeError(closeCode: number, reason: string): HubError {
  const name = codeName(closeCode) ?? 'unavailable';
  return new HubError(name, reason, mayReconnect(closeCode));
}
