/**
 * Where the server's endpoints are: sockets to a path under its `wsUrl`, made as JupyterLab itself makes them.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { ITransport, ITransportEvents, openWebSocket } from './webSocket';

export type { ITransport, ITransportEvents } from './webSocket';

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

/** Transports over the server's own WebSocket class. */
export function webSocketTransport(
  settings: ServerConnection.ISettings
): Connect {
  return (path, subprotocol, events, address) => {
    const url = socketUrl(settings, path, address);
    return openWebSocket(settings.WebSocket, url, subprotocol, events);
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
