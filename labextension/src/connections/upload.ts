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
    this._digest = await BlockDigest.create(created.limits.block_bytes);
    for (let attempt = 1; ; attempt++) {
      try {
        const done = await this._stream(created.op, () => (attempt = 0));
        return done.path;
      } catch (error) {
        const { retryable, message, retryAfterMs } = asHubError(error);
        if (this._cancelled || !retryable) {
          throw error;
        }
        this._events.onPause(message);
        await sleep(retryAfterMs ?? backoffMs(attempt));
      }
    }
  }

  /** Cancel it on the server, and here. */
  async cancel(): Promise<void> {
    this._cancelled = true;
    if (this._op !== null) {
      await this._manager.request('transfers.cancel', { op: this._op });
    }
    this._socket?.close();
  }

  /** One stream's life. Resolves at the end, rejects with a HubError when it breaks. */
  private async _stream(op: string, progressed: () => void): Promise<Done> {
    const socket = await this._manager.connectFileStream(op);
    this._socket = socket;
    try {
      return await new Promise<Done>((resolve, reject) => {
        let failure: HubError | null = null;
        socket.onclose = event =>
          reject(
            failure ??
              HubError.of('unavailable', event.reason || 'The stream broke.')
          );
        socket.onmessage = event => {
          const message = decodeStreamMessage(event.data);
          if (message.type === 'done') {
            this._events.onProgress(message.size);
            resolve(message);
          } else if (message.type === 'error') {
            failure = HubError.from(message.error);
          } else {
            this._take(socket, message, progressed).catch(reject);
          }
        };
        socket.send(encodeStreamMessage({ type: 'hello' }));
      });
    } finally {
      this._socket = null;
      socket.close();
    }
  }

  private async _take(
    socket: WebSocket,
    message: StreamServerMessage,
    progressed: () => void
  ): Promise<void> {
    if (message.type === 'welcome') {
      this._sent = message.byte_offset;
      this._limit = message.limit;
      this._events.onProgress(message.byte_offset);
      await this._pump(socket);
    } else if (message.type === 'ack') {
      progressed();
      this._events.onProgress(message.written);
    } else if (message.type === 'credit') {
      this._limit = Math.max(this._limit, message.limit);
      this._granted?.();
    }
  }

  private async _pump(socket: WebSocket): Promise<void> {
    const open = () => socket.readyState === WebSocket.OPEN;
    while (this._sent < this._file.size && open()) {
      const credit = this._limit - this._sent;
      if (credit <= 0) {
        await new Promise<void>(resolve => {
          this._granted = resolve;
          socket.addEventListener('close', () => resolve(), { once: true });
        });
        continue;
      }
      const end = Math.min(
        this._file.size,
        this._sent + Math.min(credit, READ_BYTES)
      );
      await this._send(socket, await this._read(this._sent, end));
    }
    if (open()) {
      const root = await this._root();
      const { size } = this._file;
      socket.send(encodeStreamMessage({ type: 'finish', size, root }));
    }
  }

  private async _send(socket: WebSocket, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += MAX_CHUNK_PAYLOAD_BYTES) {
      const chunk = data.subarray(at, at + MAX_CHUNK_PAYLOAD_BYTES);
      socket.send(encodeChunk(this._sent, chunk));
      this._sent += chunk.length;
    }
    while (
      socket.bufferedAmount > BUFFERED_BYTES &&
      socket.readyState === WebSocket.OPEN
    ) {
      await sleep(BUFFER_POLL_MS);
    }
  }

  /** Read a part of the file; what the digest has not seen yet is taken into it. */
  private async _read(start: number, end: number): Promise<Uint8Array> {
    let buffer: ArrayBuffer;
    try {
      buffer = await this._file.slice(start, end).arrayBuffer();
    } catch (error) {
      throw HubError.of(
        'source_changed',
        `${this._file.name} cannot be read any more; it was changed or removed.`
      );
    }
    const data = new Uint8Array(buffer);
    const digest = this._digest;
    if (digest && start <= digest.byteOffset && end > digest.byteOffset) {
      digest.update(data.subarray(digest.byteOffset - start));
    }
    return data;
  }

  private async _root(): Promise<string> {
    if (this._rootHex === null && this._digest) {
      this._rootHex = this._digest.root();
    }
    return this._rootHex ?? '';
  }

  private _op: string | null = null;
  private _digest: BlockDigest | null = null;
  private _rootHex: string | null = null;
  private _socket: WebSocket | null = null;
  private _granted: (() => void) | null = null;
  private _sent = 0;
  private _limit = 0;
  private _cancelled = false;
}

function asHubError(error: unknown): HubError {
  return error instanceof HubError
    ? error
    : HubError.of('internal', String(error));
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
