/**
 * The client's half of a download's stream as a state machine: frames in, frames out, no files and no clock.
 */
import { decodeChunk, encodeStreamMessage } from './codec';
import { HubError } from './errors';
import { StreamServerMessage, StreamWelcome, WINDOW_BYTES } from './generated';
import { insist, StreamHalf } from './transfer';

/** A new limit is told when it is worth a frame: a part of the window. */
const PART = 4;

export class DownloadReceiver extends StreamHalf {
  /** `windowBytes`: how many bytes may be under way or wait to be written; `have`: how many are there from before. */
  constructor(
    private readonly _windowBytes = 4 * WINDOW_BYTES,
    private _have = 0
  ) {
    super();
  }

  /** How many bytes have come; the next stream goes on behind them. */
  get have(): number {
    return this._have;
  }

  /** Bytes in all; null before the first welcome. */
  get size(): number | null {
    return this._size;
  }

  /** The first frame of a stream. */
  hello(): string {
    this.restart();
    // So much is granted without a word.
    this._limit = this._have + WINDOW_BYTES;
    return encodeStreamMessage({ type: 'hello', have: this._have });
  }

  /**
   * Take a data frame; gives its bytes.
   *
   * @throws HubError `bad_frame`, `wrong_offset`, `too_big`: the server breaks the protocol.
   */
  data(frame: ArrayBuffer): Uint8Array {
    insist(this.welcome !== null, 'data before the welcome');
    const { byteOffset, payload } = decodeChunk(frame);
    if (byteOffset !== this._have) {
      throw HubError.of(
        'wrong_offset',
        `The server sent byte ${byteOffset}, and ${this._have} is next.`
      );
    }
    const end = byteOffset + payload.length;
    insist(end <= this._limit, `byte ${end} without credit`);
    insist(end <= (this._size ?? 0), `more than ${this._size} bytes`);
    this._have = end;
    return payload;
  }

  /** So much is written to the file: gives the frame that grants more, where one is due. */
  credit(written: number): string | null {
    const limit = written + this._windowBytes;
    if (!this.welcome || limit - this._limit < this._windowBytes / PART) {
      return null;
    }
    this._limit = limit;
    return encodeStreamMessage({ type: 'credit', limit });
  }

  protected welcomed(welcome: StreamWelcome): void {
    const { direction, byte_offset, size } = welcome;
    insist(direction === 'download', `a welcome to an ${direction}`);
    insist(
      byte_offset === this._have,
      `byte ${byte_offset}, and ${this._have} is next`
    );
    if (this._size !== null && size !== this._size) {
      throw HubError.of(
        'source_changed',
        `It has ${size} bytes now, and had ${this._size}.`
      );
    }
    this._size = size;
  }

  protected took(message: StreamServerMessage): void {
    // Entries of a tree say nothing that an archive or a file needs.
  }

  private _limit = 0;
  private _size: number | null = null;
}
