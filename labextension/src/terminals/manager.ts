/**
 * JupyterLab's own terminal manager, its sockets replaced by ours: its terminals then run over `/ws/terminal/<name>`.
 */
import {
  ServerConnection,
  Terminal,
  TerminalManager
} from '@jupyterlab/services';

/** Opens a terminal's socket by its name. */
export type OpenTerminal = (name: string) => WebSocket;

const STOCK_PATH = /\/terminals\/websocket\/([^/?]+)/;

/**
 * A constructor with the face of `WebSocket` whose result is one of our sockets where the address is a terminal's,
 * and a plain one elsewhere.
 */
export function terminalWebSocket(
  open: OpenTerminal,
  Plain: typeof WebSocket
): typeof WebSocket {
  const construct = function (
    url: string | URL,
    protocols?: string | string[]
  ): WebSocket {
    const name = STOCK_PATH.exec(String(url))?.[1];
    return name === undefined
      ? new Plain(url, protocols)
      : open(decodeURIComponent(name));
  };
  return new Proxy(Plain, {
    construct: (_, [url, protocols]) => construct(url, protocols)
  });
}

/** Make the terminal manager; `open` is null where the server half is missing, and the stock way is taken. */
export function makeTerminalManager(
  settings: ServerConnection.ISettings,
  open: OpenTerminal | null,
  isConnected: () => boolean
): Terminal.IManager {
  if (!Terminal.isAvailable()) {
    return new TerminalManager.NoopManager({ serverSettings: settings });
  }
  const serverSettings = open
    ? { ...settings, WebSocket: terminalWebSocket(open, settings.WebSocket) }
    : settings;
  return new TerminalManager({
    serverSettings,
    standby: () => !isConnected() || 'when-hidden'
  });
}
