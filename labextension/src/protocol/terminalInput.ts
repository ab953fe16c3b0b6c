/**
 * What was typed into a terminal and is not acknowledged yet: numbered by byte offsets, sent as far as the server allows,
 * and sent again after a break. Knows nothing of sockets.
 */
import { TERMINAL_MAX_DATA_BYTES } from './generated';

/** So much may be typed beyond what was sent: while the connection is away, or while the program reads nothing. */
export const MAX_HELD_BYTES = 1024 * 1024;
/**
 * Text leaves so much of the server's limit to control characters: a program that reads nothing can be interrupted
 * however much was pasted.
 */
export const CONTROL_RESERVE_BYTES = 64;
/** Pieces up to this size are joined, so that a million keys are not a million objects. */
const SMALL_BYTES = 4096;
/** Characters that a terminal turns into signals: Ctrl-C, Ctrl-\, Ctrl-Z. */
const CONTROLS: ReadonlySet<string> = new Set(['\x03', '\x1c', '\x1a']);

interface IPiece {
  bytes: Uint8Array;
  /** A control character that goes in a frame of its own. */
  alone: boolean;
}

export class TerminalInput {
  /** Byte offset up to which input was ever sent. */
  get sent(): number {
    return this._everSent;
  }

  /** Byte offset up to which the server has told that it has taken input. */
  get accepted(): number {
    return this._accepted;
  }

  /** Whether something is sent on this connection and not acknowledged. */
  get isAwaited(): boolean {
    return this._sent > this._accepted;
  }

  /** Bytes that were never sent. */
  get heldBytes(): number {
    return this._end - this._everSent;
  }

  /** Bytes that the server has not taken, as far as is known. */
  get pendingBytes(): number {
    return this._end - this._accepted;
  }

  /** Take what was typed; false: too much waits already, and it was not taken. */
  type(text: string): boolean {
    if (CONTROLS.has(text)) {
      this._push({ bytes: new TextEncoder().encode(text), alone: true });
      return true;
    }
    const bytes = new TextEncoder().encode(text);
    this._isFull = this._isFull && this.heldBytes > 0;
    if (this._isFull || this.heldBytes + bytes.length > MAX_HELD_BYTES) {
      // Nothing more until all of it was sent: a hole in what was typed could become another command.
      this._isFull = true;
      return false;
    }
    this._push({ bytes, alone: false });
    return true;
  }

  /**
   * A connection begins: what the server has not taken is sent again. Returns how many characters may be lost, where the
   * server does not know how much of them it has taken.
   */
  resume(accepted: number, limit: number, fresh: boolean): number {
    let lost = 0;
    if (accepted < this._accepted || accepted > this._everSent) {
      lost = this._renumber(accepted);
    } else {
      lost = fresh ? this._characters(accepted - this._accepted) : 0;
      this._accept(accepted);
    }
    this._sent = this._accepted;
    this._limit = limit;
    return lost;
  }

  /** INPUT_ACK; true: it is news. */
  acknowledge(accepted: number, limit: number): boolean {
    const news = accepted > this._accepted;
    this._limit = Math.max(this._limit, limit);
    if (news) {
      this._accept(Math.min(accepted, this._sent));
    }
    return news;
  }

  /** The connection is gone. */
  pause(): void {
    this._limit = 0;
    this._sent = this._accepted;
  }

  /** Forget everything: the server takes nothing from this client. */
  clear(): void {
    this._pieces = [];
    this._end = this._sent = this._everSent = this._accepted;
  }

  /** The payloads of the next DATA frames, which count as sent. */
  take(): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    while (this._sent < this._end) {
      const next = this._next();
      if (next.length > 0) {
        payloads.push(next);
        this._sent += next.length;
        this._everSent = Math.max(this._everSent, this._sent);
      } else if (!this._dropBeforeControl()) {
        break;
      }
    }
    return payloads;
  }

  /** What comes next, as far as one frame and the limit go. */
  private _next(): Uint8Array {
    let skip = this._sent - this._accepted;
    const parts: Uint8Array[] = [];
    let room = Math.min(
      TERMINAL_MAX_DATA_BYTES,
      this._limit - CONTROL_RESERVE_BYTES - this._sent
    );
    for (const { bytes, alone } of this._pieces) {
      if (skip >= bytes.length) {
        skip -= bytes.length;
        continue;
      }
      if (alone) {
        return parts.length > 0 || this._limit <= this._sent
          ? joined(parts)
          : bytes;
      }
      if (room <= 0) {
        break;
      }
      const part = cut(bytes.subarray(skip), room);
      parts.push(part);
      if (skip + part.length < bytes.length) {
        break;
      }
      room -= part.length;
      skip = 0;
    }
    return joined(parts);
  }

  /** Text is held back for want of a limit, and a control character comes after it: as in any terminal it goes first. */
  private _dropBeforeControl(): boolean {
    const keep = this._sent - this._accepted;
    const kept: IPiece[] = [];
    let at = 0;
    let control = 0;
    for (const { bytes, alone } of this._pieces) {
      if (alone && at >= keep) {
        break;
      }
      if (at < keep) {
        kept.push({ bytes: bytes.subarray(0, keep - at), alone });
      }
      at += bytes.length;
      control += 1;
    }
    if (control === this._pieces.length || at === keep) {
      return false;
    }
    this._pieces = [...kept, ...this._pieces.slice(control)];
    this._end -= at - keep;
    this._everSent = Math.min(this._everSent, this._sent);
    return true;
  }

  /** The server has forgotten this client: what was sent is dropped, what was not goes on at its count. */
  private _renumber(accepted: number): number {
    const lost = this._characters(this._everSent - this._accepted);
    this._accept(this._everSent);
    const held = this.heldBytes;
    this._accepted = this._everSent = accepted;
    this._end = accepted + held;
    return lost;
  }

  /** How many characters the first so many bytes of what is kept are. */
  private _characters(size: number): number {
    return joined(this._pieces.map(({ bytes }) => bytes))
      .subarray(0, size)
      .filter(byte => (byte & 0xc0) !== 0x80).length;
  }

  private _accept(accepted: number): void {
    let gone = accepted - this._accepted;
    this._accepted = accepted;
    let whole = 0;
    for (const { bytes } of this._pieces) {
      if (gone < bytes.length) {
        break;
      }
      gone -= bytes.length;
      whole += 1;
    }
    this._pieces.splice(0, whole);
    const first = this._pieces[0];
    if (first && gone > 0) {
      first.bytes = first.bytes.subarray(gone);
    }
  }

  private _push(piece: IPiece): void {
    this._end += piece.bytes.length;
    const last = this._pieces[this._pieces.length - 1];
    const small = (last?.bytes.length ?? 0) + piece.bytes.length <= SMALL_BYTES;
    if (last && small && !last.alone && !piece.alone) {
      last.bytes = joined([last.bytes, piece.bytes]);
    } else if (piece.bytes.length > 0) {
      this._pieces.push(piece);
    }
  }

  /** From `_accepted` to `_end`. */
  private _pieces: IPiece[] = [];
  private _accepted = 0;
  /** On this connection. */
  private _sent = 0;
  private _everSent = 0;
  private _end = 0;
  private _limit = 0;
  private _isFull = false;
}

/** At most so many bytes, between characters. */
function cut(bytes: Uint8Array, most: number): Uint8Array {
  let end = Math.min(bytes.length, most);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) {
    end -= 1;
  }
  return bytes.subarray(0, end);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0]) {
    return parts[0];
  }
  const whole = new Uint8Array(
    parts.reduce((sum, part) => sum + part.length, 0)
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
