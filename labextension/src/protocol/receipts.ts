/**
 * When to tell the server what was consumed here: frames, so that it may send more, and outcomes, so that it may forget
 * them. No socket, no clock.
 */
import { Ack } from './generated';

/** At the latest after so many characters of frames: the server's window is never smaller than that. */
export const ACK_CHARACTERS = 16 * 1024;

/** At the latest after so many settled requests. */
const ACK_OUTCOMES = 16;

export class Receipts {
  /** A socket has opened: frames are counted from here. */
  opened(): void {
    this._received = this._told = this._characters = 0;
    this._framesDue = false;
  }

  /** A frame of this many characters has come. */
  received(characters: number): void {
    this._received += 1;
    this._characters += characters;
    if (this._characters >= ACK_CHARACTERS) {
      this._framesDue = true;
    }
  }

  /** A request is settled. */
  settled(ref: number): void {
    this._settled.push(ref);
    if (this._settled.length >= ACK_OUTCOMES) {
      this._outcomesDue = true;
    }
  }

  /** The server has pinged: whatever has come is told with the answer. */
  asked(): void {
    this._framesDue = true;
    this._outcomesDue = this._settled.length > 0;
  }

  /** Tell of no more frames until that is taken back: somebody here cannot take more. */
  hold(held: boolean): void {
    this._held = held;
  }

  /** What to tell now, null if nothing is due; `settledUpTo` gives the `ref` up to which all is settled. */
  take(settledUpTo: () => number): Ack | null {
    const frames = !this._held && this._received > this._told;
    if (!(this._framesDue && frames) && !this._outcomesDue) {
      return null;
    }
    const ack: Ack = { type: 'ack' };
    if (frames) {
      ack.frames = this._told = this._received;
      this._characters = 0;
      this._framesDue = false;
    }
    if (this._settled.length > 0) {
      const done = settledUpTo();
      const also = this._settled.filter(ref => ref > done);
      ack.done = done;
      if (also.length > 0) {
        // One request that takes long does not make the server keep all outcomes after it.
        ack.also = also;
      }
      this._settled = [];
      this._outcomesDue = false;
    }
    return ack;
  }

  /** Frames of this connection, and how many of them the server was told of. */
  private _received = 0;
  private _told = 0;
  /** Characters in the frames that it was not told of. */
  private _characters = 0;
  /** Requests that were settled since the server was told. */
  private _settled: number[] = [];
  private _framesDue = false;
  private _outcomesDue = false;
  private _held = false;
}
