/**
 * One socket in memory with both its ends: the client's (ITransport) and the server's (give, end, cut).
 */
import {
  IAddress,
  ITransport,
  ITransportEvents
} from '../connections/transport';

export type Frame = string | Uint8Array;

/** After so long without an answer to the upgrade a browser gives up; Firefox, `network.websocket.timeout.open`. */
const OPEN_TIMEOUT_MS = 20_000;

/** What happens to a socket on its way to the server. */
export interface ILine {
  /** Each way takes this long. */
  latencyMs: number;
  /** A black hole: nothing arrives on either side, and no close frame either. */
  silent: boolean;
  /** Upgrades are refused; a browser tells no more than 1006. */
  refusing: boolean;
  /** Some are. */
  refuses(socket: FakeSocket): boolean;
  /** The browser gives up by itself what does not open. */
  browserGivesUp: boolean;
}

/** What the server does with a socket. */
export interface IServe {
  opened(socket: FakeSocket): void;
  received(socket: FakeSocket, frame: Frame): void;
}

export class FakeSocket implements ITransport {
  constructor(
    readonly path: readonly string[],
    readonly protocol: string,
    private readonly _events: ITransportEvents,
    private readonly _line: ILine,
    private readonly _serve: IServe,
    readonly address: IAddress = {},
    /** The subprotocol that the client has offered. */
    readonly offered = ''
  ) {
    this._opening = setTimeout(
      () => _line.browserGivesUp && this.cut(),
      OPEN_TIMEOUT_MS
    );
    this._later(() => {
      if (_line.refusing || _line.refuses(this)) {
        this._end(1006, '', false);
      } else {
        clearTimeout(this._opening);
        this.isOpen = true;
        this._events.onOpen();
        this._serve.opened(this);
      }
    });
  }

  /** What the client has sent and the server got, in order. */
  readonly received: Frame[] = [];
  /** How the client closed it, null if it did not. */
  closedWith: { code: number; reason: string } | null = null;
  isOpen = false;
  isOver = false;
  bufferedAmount = 0;
  /** What the server's side knows of this socket; see FakeServer. */
  readonly topics = new Set<string>();
  session: string | null = null;
  /** The length of each frame that the server has sent, and how many of them the client has told it of. */
  readonly given: number[] = [];
  ackedFrames = 0;

  /** The text frames that the server got. */
  get texts(): string[] {
    return this.received.filter(
      (one): one is string => typeof one === 'string'
    );
  }

  /** Characters that the server has sent and the client has not told it of. */
  get underWay(): number {
    return this.given
      .slice(this.ackedFrames)
      .reduce((sum, characters) => sum + characters, 0);
  }

  /** The client sends. */
  send(data: string | ArrayBufferView | ArrayBufferLike): void {
    if (!this.isOpen || this.isOver) {
      throw new Error('A frame was sent on a socket that is not open.');
    }
    const frame = typeof data === 'string' ? data : copyOf(data);
    this._later(() => {
      this.received.push(frame);
      this._serve.received(this, frame);
    });
  }

  /** The client closes; as in transport.ts it does not wait for the answer. */
  close(code = 1000, reason = ''): void {
    this.closedWith ??= { code, reason };
    this._end(code, reason, this.isOpen);
  }

  /** The server sends. */
  give(frame: Frame): void {
    this.given.push(frame.length);
    const data = typeof frame === 'string' ? frame : copyOf(frame).buffer;
    this._later(() => this._events.onMessage(data));
  }

  /** The server closes, behind what it has sent. */
  end(code: number, reason = ''): void {
    this._later(() => this._end(code, reason, true));
  }

  /** The connection breaks now; what is on its way is lost. */
  cut(): void {
    this._end(1006, '', this.isOpen);
  }

  private _end(code: number, reason: string, opened: boolean): void {
    if (!this.isOver) {
      clearTimeout(this._opening);
      this.isOver = true;
      this._events.onClose(code, reason, opened);
    }
  }

  private _later(what: () => void): void {
    setTimeout(() => {
      if (!this.isOver && !this._line.silent) {
        what();
      }
    }, this._line.latencyMs);
  }

  private readonly _opening: ReturnType<typeof setTimeout>;
}

function copyOf(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    : new Uint8Array(data).slice();
}
