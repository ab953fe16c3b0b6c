/**
 * One upload: makes the operation, sends the file over a stream, and goes on where the server says after a break.
 */
import {
  decodeStreamMessage,
  encodeChunk,
  encodeStreamMessage
} from '../protocol/codec';
import { HubError } from '../protocol/errors';
import {
  Done,
  MAX_CHUNK_PAYLOAD_BYTES,
  StreamServerMessage
} from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { backoffMs } from './backoff';
import { BlockDigest } from './digest';
import { closeError } from './keeper';

/** How much may wait in the socket's own buffer. */
const BUFFERED_BYTES = 1024 * 1024;
/** How long to wait before looking at that buffer again: browsers have no event for it. */
const BUFFER_POLL_MS = 5;
/** Bytes read from the file at a time: a whole number of chunks. */
const READ_BYTES = 8 * MAX_CHUNK_PAYLOAD_BYTES;

/** What an upload tells. */
export interface IUploadEvents {
  /** The server has written so many bytes. */
  onProgress(written: number): void;
  /** The connection was lost; it tries again. */
  onPause(reason: string): void;
}

/** Reads a file once from its start to its end, or again from an earlier place, and digests each byte once. */
class DigestedFile {
  constructor(
    readonly file: File,
    private readonly _digest: BlockDigest
  ) {}

  /** Read a part. */
  async read(start: number, end: number): Promise<Uint8Array> {
    let buffer: ArrayBuffer;
    try {
      buffer = await this.file.slice(start, end).arrayBuffer();
    } catch (error) {
      throw HubError.of(
        'source_changed',
        `${this.file.name} cannot be read any more; it was changed or removed.`
      );
    }
    const data = new Uint8Array(buffer);
    const seen = this._digest.byteOffset;
    if (start <= seen && end > seen) {
      this._digest.update(data.subarray(seen - start));
    }
    return data;
  }

  /** The root digest, once everything was read. */
  root(): string {
    this._root = this._root ?? this._digest.root();
    return this._root;
  }

  private _root: string | null = null;
}

/** One stream's life: what was sent on it and how far it may go. */
class UploadRun {
  constructor(
    private readonly _socket: WebSocket,
    private readonly _source: DigestedFile,
    private readonly _events: IUploadEvents,
    private readonly _progressed: () => void
  ) {}

  /** Resolves when the server has published the file, rejects with a HubError when the stream breaks. */
  run(): Promise<Done> {
    return new Promise<Done>((resolve, reject) => {
      let failure: HubError | null = null;
      const socket = this._socket;
      socket.onclose = event => {
        this._wake();
        reject(failure ?? streamError(event.code, event.reason));
      };
      socket.onmessage = event => {
        try {
          const message = decodeStreamMessage(event.data);
          if (message.type === 'done') {
            this._events.onProgress(message.size);
            resolve(message);
          } else if (message.type === 'error') {
            failure = HubError.from(message.error);
          } else {
            this._take(message).catch(reject);
          }
        } catch (error) {
          reject(error);
        }
      };
      socket.send(encodeStreamMessage({ type: 'hello' }));
    });
  }

  private async _take(message: StreamServerMessage): Promise<void> {
    if (message.type === 'welcome') {
      this._sent = message.byte_offset;
      this._limit = message.limit;
      this._events.onProgress(message.byte_offset);
      await this._pump();
    } else if (message.type === 'ack') {
      this._progressed();
      this._events.onProgress(message.written);
    } else if (message.type === 'credit') {
      this._limit = Math.max(this._limit, message.limit);
      this._wake();
    }
  }

  private get _isOpen(): boolean {
    return this._socket.readyState === WebSocket.OPEN;
  }

  private async _pump(): Promise<void> {
    const { size } = this._source.file;
    while (this._sent < size && this._isOpen) {
      const credit = this._limit - this._sent;
      if (credit > 0) {
        const end = Math.min(size, this._sent + Math.min(credit, READ_BYTES));
        await this._send(await this._source.read(this._sent, end));
      } else {
        await new Promise<void>(resolve => (this._wake = resolve));
      }
    }
    if (this._isOpen) {
      const root = this._source.root();
      this._socket.send(encodeStreamMessage({ type: 'finish', size, root }));
    }
  }

  private async _send(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length && this._isOpen;) {
      const chunk = data.subarray(at, at + MAX_CHUNK_PAYLOAD_BYTES);
      this._socket.send(encodeChunk(this._sent, chunk));
      this._sent += chunk.length;
      at += chunk.length;
    }
    while (this._socket.bufferedAmount > BUFFERED_BYTES && this._isOpen) {
      await new Promise(resolve => setTimeout(resolve, BUFFER_POLL_MS));
    }
  }

  private _sent = 0;
  private _limit = 0;
  /** Ends the wait for credit. */
  private _wake: () => void = () => undefined;
}

export class Upload {
  constructor(
    private readonly _manager: Pick<
      IConnectionManager,
      'request' | 'connectFileStream'
    >,
    private readonly _file: File,
    private readonly _path: string,
    private readonly _events: IUploadEvents
  ) {}

  /** Upload it; gives the path under which it was published. Rejects when it cannot succeed, or was cancelled. */
  async run(): Promise<string> {
    const created = await this._manager.request('transfers.create', {
      direction: 'upload',
      path: this._path,
      size: this._file.size,
      mtime_ms: this._file.lastModified,
      if_exists: 'rename'
    });
    this._op = created.op;
    try {
      if (this._cancelled) {
        await this._cancelOnServer();
        throw this._cancelError();
      }
      const digest = await BlockDigest.create(created.limits.block_bytes);
      const source = new DigestedFile(this._file, digest);
      return (await this._untilDone(created.op, source)).path;
    } finally {
      this._socket?.close();
    }
  }

  /** Cancel it on the server, and here. */
  async cancel(): Promise<void> {
    this._cancelled = true;
    this._stopWaiting();
    try {
      await this._cancelOnServer();
    } catch (error) {
      // Here it has ended all the same; the server forgets an upload that nobody goes on with.
      console.warn(
        `${this._path} could not be cancelled on the server.`,
        error
      );
    }
    this._socket?.close();
  }

  private async _untilDone(op: string, source: DigestedFile): Promise<Done> {
    for (let attempt = 1; ; attempt++) {
      try {
        const socket = await this._manager.connectFileStream(op);
        this._socket?.close();
        this._socket = socket;
        const progressed = () => (attempt = 0);
        return await this._race(
          new UploadRun(socket, source, this._events, progressed).run()
        );
      } catch (error) {
        if (this._cancelled) {
          throw this._cancelError();
        }
        const { retryable, message, retryAfterMs } = asHubError(error);
        if (!retryable) {
          throw error;
        }
        this._events.onPause(message);
        await this._pause(retryAfterMs ?? backoffMs(attempt));
      }
      if (this._cancelled) {
        throw this._cancelError();
      }
    }
  }

  /** A stream's end, or the cancelling, whichever is first. */
  private _race(end: Promise<Done>): Promise<Done> {
    return new Promise((resolve, reject) => {
      this._stopWaiting = () => reject(this._cancelError());
      end.then(resolve, reject);
    });
  }

  private _pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms);
      this._stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async _cancelOnServer(): Promise<void> {
    if (this._op !== null) {
      await this._manager.request('transfers.cancel', { op: this._op });
    }
  }

  private _cancelError(): HubError {
    return HubError.of(
      'cancelled',
      `The upload of ${this._path} was cancelled.`
    );
  }

  private _op: string | null = null;
  private _socket: WebSocket | null = null;
  private _cancelled = false;
  private _stopWaiting: () => void = () => undefined;
}

/** What a stream's end means that came without a word: 1000 from the server is no end of an upload either. */
function streamError(code: number, reason: string): HubError {
  return code === 1000 || code === 1006
    ? HubError.of('unavailable', reason || 'The connection was lost.')
    : closeError(code, reason || 'The connection was lost.');
}

function asHubError(error: unknown): HubError {
  return error instanceof HubError
    ? error
    : HubError.of('bad_frame', String(error));
}
