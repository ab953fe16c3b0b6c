/**
 * Streamed replies of the server in memory: items one frame each, no more than the client's window takes.
 */
import {
  ErrorInfo,
  Reply,
  Request,
  ServerMessage
} from '../protocol/generated';
import { FakeSocket } from './fakeSocket';

/** What a streamed method gives: its items, and how it ends. */
export interface IFakeStream {
  items: unknown[];
  error?: ErrorInfo;
  /** It gives no more than this many items and does not end, as one that waits for something. */
  stopAt?: number;
}

interface IRunning extends IFakeStream {
  socket: FakeSocket;
  ref: number;
  n: number;
}

/** Sends a message on a socket. */
type Give = (socket: FakeSocket, message: ServerMessage) => void;

export class FakeStreams {
  constructor(private readonly _give: Give) {}

  /** Nothing more is sent while as many characters were not acknowledged. */
  windowCharacters = 64 * 1024;
  /** Streamed methods. */
  readonly methods = new Map<string, (params: unknown) => IFakeStream>();

  /** Run a request if its method is streamed; true if it is. One that comes again begins again. */
  request(socket: FakeSocket, request: Request): boolean {
    const stream = this.methods.get(request.method)?.(request.params);
    if (stream) {
      this._stop(socket, request.ref);
      this._running.add({ ...stream, socket, ref: request.ref, n: 0 });
      this.pump();
    }
    return stream !== undefined;
  }

  /** Stop a stream; true if there was one. */
  cancel(socket: FakeSocket, ref: number, error: ErrorInfo): boolean {
    const stopped = this._stop(socket, ref);
    if (stopped) {
      this._give(socket, { type: 'reply', ref, error });
    }
    return stopped;
  }

  /** Send what the windows take. */
  pump(): void {
    for (const stream of [...this._running]) {
      const { socket, ref, items } = stream;
      const end = Math.min(items.length, stream.stopAt ?? Infinity);
      const free = () =>
        !socket.isOver && socket.underWay < this.windowCharacters;
      while (stream.n < end && free()) {
        const n = stream.n++;
        this._give(socket, { type: 'item', ref, n, data: items[n] });
      }
      if (socket.isOver) {
        this._running.delete(stream);
      } else if (stream.n === items.length) {
        this._running.delete(stream);
        const error = stream.error ?? null;
        const reply: Reply = { type: 'reply', ref, result: null, error };
        this._give(socket, reply);
      }
    }
  }

  private _stop(socket: FakeSocket, ref: number): boolean {
    for (const stream of this._running) {
      if (stream.ref === ref && stream.socket === socket) {
        return this._running.delete(stream);
      }
    }
    return false;
  }

  private readonly _running = new Set<IRunning>();
}
