/**
 * Moves frames and knows nothing of what they mean. Imports nothing of JupyterLab, because workers need it too.
 */

/** What a transport tells. */
export interface ITransportEvents {
  onOpen(): void;
  onMessage(data: string | ArrayBuffer): void;
  /** Exactly once, also when it never opened (`opened` is false then). */
  onClose(code: number, reason: string, opened: boolean): void;
}

/** One socket's life. */
export interface ITransport {
  send(data: string | ArrayBufferView | ArrayBufferLike): void;
  close(code?: number, reason?: string): void;
  readonly bufferedAmount: number;
  readonly protocol: string;
}

/** As much of a reason as a close frame carries, in bytes (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/** Cut a reason to what a close frame can carry, between characters. */
function shortReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  return bytes.length <= MAX_REASON_BYTES
    ? reason
    : new TextDecoder()
        .decode(bytes.subarray(0, MAX_REASON_BYTES - 2))
        .replace(/\uFFFD+$/, '');
}

/** A transport over a `WebSocket` of the given class. */
export function openWebSocket(
  WebSocketClass: typeof WebSocket,
  url: string,
  subprotocol: string | null,
  events: ITransportEvents
): ITransport {
  const socket = subprotocol
    ? new WebSocketClass(url, subprotocol)
    : new WebSocketClass(url);
  let opened = false;
  let ended = false;
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    opened = true;
    events.onOpen();
  };
  socket.onmessage = event => {
    if (!ended) {
      events.onMessage(event.data);
    }
  };
  const end = (code: number, reason: string) => {
    if (!ended) {
      ended = true;
      events.onClose(code, reason, opened);
    }
  };
  socket.onclose = event => end(event.code, event.reason);
  return {
    send: data => socket.send(data as string),
    close: (code = 1000, reason = '') => {
      // A peer that is gone never answers a close frame: do not wait for it.
      socket.close(code, shortReason(reason));
      end(code, reason);
    },
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    get protocol() {
      return socket.protocol;
    }
  };
}
