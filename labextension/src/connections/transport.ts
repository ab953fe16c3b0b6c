/**
 * Moves frames and knows nothing of what they mean: a `WebSocket` to a path under the server's `wsUrl`.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

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

/** What an address has beside its path. */
export interface IAddress {
  /** Where the path begins, under the server's `wsUrl`; ours by default. */
  root?: string;
  query?: Readonly<Record<string, string>>;
}

/** Opens a transport to a path. */
export type Connect = (
  path: readonly string[],
  subprotocol: string | null,
  events: ITransportEvents,
  address?: IAddress
) => ITransport;

/** The address of an endpoint, made as JupyterLab itself makes them. */
export function socketUrl(
  settings: ServerConnection.ISettings,
  path: readonly string[],
  { root = 'ws', query = {} }: IAddress = {}
): string {
  const url = URLExt.join(
    settings.wsUrl,
    root,
    ...path.map(encodeURIComponent)
  );
  const token =
    settings.appendToken && settings.token !== ''
      ? { token: settings.token }
      : {};
  const pairs = Object.entries({ ...query, ...token }).map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`
  );
  return pairs.length > 0 ? `${url}?${pairs.join('&')}` : url;
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

/** Transports over the server's own WebSocket class. */
export function webSocketTransport(
  settings: ServerConnection.ISettings
): Connect {
  return (path, subprotocol, events, address) => {
    const url = socketUrl(settings, path, address);
    const socket = subprotocol
      ? new settings.WebSocket(url, subprotocol)
      : new settings.WebSocket(url);
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
  };
}

/** What to do after an upgrade was refused; browsers do not tell why. */
export type Verdict = 'retry' | 'wait' | 'unauthenticated' | 'gone';

/** Asks the server over HTTP what it thinks of this user. */
export type Ask = () => Promise<Verdict>;

/** Ask `api/me`: 401 and 403 are final, 424 and 503 mean that the server is starting, anything else is tried again. */
export function askServer(settings: ServerConnection.ISettings): Ask {
  return async () => {
    const url = URLExt.join(settings.baseUrl, 'api', 'me');
    try {
      const response = await ServerConnection.makeRequest(url, {}, settings);
      if (response.status === 401 || response.status === 403) {
        return 'unauthenticated';
      }
      return response.status === 424 || response.status === 503
        ? 'wait'
        : 'retry';
    } catch (error) {
      // No answer at all: the network is down, which the next attempt will show.
      return 'retry';
    }
  };
}
