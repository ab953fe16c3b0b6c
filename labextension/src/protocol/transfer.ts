/**
 * The client's half of an upload's stream as a state machine: frames in, frames out, no files and no clock.
 */
import { decodeStreamMessage, encodeChunk, encodeStreamMessage } from './codec';
import { HubError } from './errors';
import {
  Done,
  EntryResult,
  ENTRIES_AHEAD,
  MAX_CHUNK_PAYLOAD_BYTES,
  StreamServerMessage,
  StreamWelcome,
  TreeEntry
} from './generated';

/** What streams of both directions have in common: how they begin and how they end. */
export abstract class StreamHalf {
  /** What the server has said first; null before. */
  get welcome(): StreamWelcome | null {
    return this._welcome;
  }

  /** The good end. */
  get done(): Done | null {
    return this._done;
  }

  /** Why the server ends the stream. */
  get failure(): HubError | null {
    return this._failure;
  }

  /**
   * Take a text message of the server.
   *
   * @throws HubError `bad_frame`: the server breaks the protocol.
   */
  take(text: string): void {
    const message = decodeStreamMessage(text);
    switch (message.type) {
      case 'welcome':
        insist(!this._welcome, 'a second welcome');
        this._welcome = message;
        this.welcomed(message);
        break;
      case 'done':
        this._done = message;
        break;
      case 'error':
        this._failure = HubError.from(message.error);
        break;
      case 'pong':
        break;
      default:
        insist(this._welcome !== null, `${message.type} before the welcome`);
        this.took(message);
    }
  }

  /** A new stream: what the last one was told counts no more. */
  protected restart(): void {
    this._welcome = null;
    this._done = null;
    this._failure = null;
  }

  protected abstract welcomed(welcome: StreamWelcome): void;
  protected abstract took(message: StreamServerMessage): void;

  private _welcome: StreamWelcome | null = null;
  private _done: Done | null = null;
  private _failure: HubError | null = null;
}

/** Sends one file. */
export class UploadSender extends StreamHalf {
  constructor(
    /** Bytes of the file. */
    protected total: number
  ) {
    super();
  }

  /** Bytes in all, as far as they are announced. */
  get size(): number {
    return this.total;
  }

  /** Where the next byte goes. */
  get sent(): number {
    return this._sent;
  }

  /** How far the server has written. */
  get written(): number {
    return this._written;
  }

  /** How many bytes may be sent now. */
  get room(): number {
    return this.welcome
      ? Math.max(0, Math.min(this._limit, this.total) - this._sent)
      : 0;
  }

  /** Whether all that was announced is sent. */
  get isSent(): boolean {
    return this.welcome !== null && this._sent === this.total;
  }

  /** Whether `finish` was sent. */
  get isFinished(): boolean {
    return this._finished;
  }

  /** The first frame of a stream; `digests`: the welcome shall bring those of the blocks that the server has. */
  hello(digests = false): string {
    this.restart();
    this._finished = false;
    return encodeStreamMessage({ type: 'hello', ...(digests && { digests }) });
  }

  /** The frames that carry the next bytes; no more than `room`. */
  data(bytes: Uint8Array): Uint8Array[] {
    if (bytes.length > this.room) {
      throw new RangeError(`${bytes.length} bytes, and ${this.room} may go.`);
    }
    const frames: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + MAX_CHUNK_PAYLOAD_BYTES);
      frames.push(encodeChunk(this._sent, part));
      this._sent += part.length;
      at += part.length;
    }
    return frames;
  }

  /** The last frame: all bytes are sent. */
  finish(root: string): string {
    this._finished = true;
    return encodeStreamMessage({ type: 'finish', size: this.total, root });
  }

  protected welcomed(welcome: StreamWelcome): void {
    const { direction, byte_offset, limit } = welcome;
    insist(direction === 'upload', `a welcome to a ${direction}`);
    this.begins(welcome);
    insist(
      byte_offset >= 0 && byte_offset <= this.total,
      `to go on at byte ${byte_offset} of ${this.total}`
    );
    this._sent = this._written = byte_offset;
    this._limit = limit;
  }

  /** Compare a welcome with what is to be sent. */
  protected begins(welcome: StreamWelcome): void {
    if (welcome.size !== this.total) {
      throw HubError.of(
        'source_changed',
        `The upload has ${welcome.size} bytes, the file ${this.total}.`
      );
    }
  }

  protected took(message: StreamServerMessage): void {
    if (message.type === 'credit') {
      this._limit = Math.max(this._limit, message.limit);
    } else if (message.type === 'ack') {
      const { written, received } = message;
      insist(
        written <= received && received <= this._sent,
        `an ack of ${received} bytes, ${written} of them written, after ${this._sent}`
      );
      this._written = Math.max(this._written, written);
    } else {
      insist(false, `${message.type} in an upload of a file`);
    }
  }

  protected markFinished(): void {
    this._finished = true;
  }

  private _sent = 0;
  private _limit = 0;
  private _written = 0;
  private _finished = false;
}

/** Sends the files of a tree one behind the other, each announced before its bytes. */
export class TreeSender extends UploadSender {
  constructor() {
    super(0);
  }

  /** Number of the next entry to announce. */
  get announced(): number {
    return this._announced;
  }

  /** All entries before this one are settled. */
  get settled(): number {
    return this._settled;
  }

  /** How many entries may be announced now. */
  get entriesRoom(): number {
    return this.welcome ? this._settled + ENTRIES_AHEAD - this._announced : 0;
  }

  /** What was special about entries that were settled since this was asked last. */
  takeResults(): EntryResult[] {
    const results = this._results;
    this._results = [];
    return results;
  }

  /** The frame that announces the next entries; their bytes follow. */
  announce(entries: readonly TreeEntry[]): string {
    if (entries.length > this.entriesRoom) {
      throw new RangeError(`${entries.length} entries are too many now.`);
    }
    const first = this._announced;
    this._announced += entries.length;
    this.total += entries.reduce((sum, { size }) => sum + (size ?? 0), 0);
    return encodeStreamMessage({
      type: 'entries',
      first,
      entries: [...entries]
    });
  }

  /** The last frame: all entries were announced and all bytes are sent. */
  override finish(): string {
    this.markFinished();
    const { size, announced } = this;
    return encodeStreamMessage({
      ...{ type: 'finish', size, root: '', entries: announced }
    });
  }

  protected override begins({ kind, entry, byte_offset }: StreamWelcome): void {
    insist(kind === 'tree', `a welcome to a ${kind}`);
    this._announced = this._settled = entry;
    // Entries that could not be read count no bytes: only the server knows after a reload what came.
    this.total = byte_offset;
  }

  protected override took(message: StreamServerMessage): void {
    if (message.type === 'settled') {
      insist(
        message.entry <= this._announced,
        `entry ${message.entry} settled of ${this._announced}`
      );
      this._settled = Math.max(this._settled, message.entry);
      this._results.push(...message.results);
    } else {
      super.took(message);
    }
  }

  private _announced = 0;
  private _settled = 0;
  private _results: EntryResult[] = [];
}

/** The server MUST do what the protocol says. */
export function insist(holds: boolean, what: string): void {
  if (!holds) {
    throw HubError.of('bad_frame', `The server's stream is wrong: ${what}.`);
  }
}
