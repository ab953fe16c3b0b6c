/**
 * An object with the face of a `WebSocket` that is not one: what the manager hands out.
 */
import { HubError } from '../protocol/errors';

type Data = string | ArrayBufferLike | Blob | ArrayBufferView;

/** Events and state of a `WebSocket`; subclasses say what sending and closing do. */
export abstract class SocketFace extends EventTarget implements WebSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  onopen: ((this: WebSocket, event: Event) => unknown) | null = null;
  onmessage: ((this: WebSocket, event: MessageEvent) => unknown) | null = null;
  onclose: ((this: WebSocket, event: CloseEvent) => unknown) | null = null;
  onerror: ((this: WebSocket, event: Event) => unknown) | null = null;
  binaryType: BinaryType = 'arraybuffer';
  readonly extensions: string = '';
  readonly protocol: string = '';

  constructor(readonly url: string) {
    super();
  }

  get readyState(): number {
    return this._readyState;
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    return 0;
  }

  /** Send a message. */
  abstract send(data: Data): void;

  /** Close: `closing` is told once, then listeners hear `close`. */
  close(code = 1000, reason = ''): void {
    if (this._readyState >= this.CLOSING) {
      this.released();
      return;
    }
    this._readyState = this.CLOSING;
    this.closing(code, reason);
    this.fireClose(code, reason, true);
  }

  /** The holder has closed. */
  protected abstract closing(code: number, reason: string): void;

  /** The holder lets go of a socket that has closed already. */
  protected released(): void {
    // Nothing is left of most sockets.
  }

  protected requireOpen(): void {
    if (this._readyState === this.CONNECTING) {
      throw new DOMException(
        'The socket is not open yet.',
        'InvalidStateError'
      );
    }
  }

  protected fireOpen(): void {
    this._readyState = this.OPEN;
    const event = new Event('open');
    this.onopen?.call(this, event);
    this.dispatchEvent(event);
  }

  protected fireMessage(data: string | ArrayBuffer): void {
    const event = new MessageEvent('message', { data });
    this.onmessage?.call(this, event);
    this.dispatchEvent(event);
  }

  protected fireClose(code: number, reason: string, wasClean: boolean): void {
    if (this._readyState === this.CLOSED) {
      return;
    }
    this._readyState = this.CLOSED;
    const event = new CloseEvent('close', { code, reason, wasClean });
    this.onclose?.call(this, event);
    this.dispatchEvent(event);
  }

  private _readyState = 0;
}

/** The text that a caller wants to send. */
export function requireText(data: Data): string {
  if (typeof data !== 'string') {
    throw HubError.of('bad_frame', 'This connection takes text frames only.');
  }
  return data;
}
