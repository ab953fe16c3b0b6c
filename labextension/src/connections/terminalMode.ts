/**
 * The ways in which a terminal's socket can speak with the server, as its parts see each other.
 */
import { ServerConnection } from '@jupyterlab/services';

import { Service } from '../tokens';
import { StatusBook } from './status';
import { ScreenBook } from './terminalScreen';
import { Ask, Connect } from './transport';

export const SERVICE: Service = 'terminal';

/** terminado's messages, as text. */
export const SETUP = '["setup", {}]';
export const DISCONNECT = '["disconnect",1]';
/** ESC c, "reset to initial state": ECMA-48 8.3.105. */
export const CLEAR = '\u001bc';

/** A message of terminado's that writes to the screen. */
export function stdout(text: string): string {
  return JSON.stringify(['stdout', text]);
}

/** Something that a user should hear of. */
export interface ITerminalNotice {
  /** The terminal's name. */
  name: string;
  level: 'info' | 'warning' | 'error';
  text: string;
}

/** What a terminal's socket needs. */
export interface ITerminalOptions {
  settings: ServerConnection.ISettings;
  connect: Connect;
  ask: Ask;
  /** Whether the terminal is still there; null if that cannot be told now. */
  exists(name: string): Promise<boolean | null>;
  book: StatusBook;
  /** The screens on which terminals are seen. */
  screens?: ScreenBook;
  notice?(notice: ITerminalNotice): void;
}

/** The socket, as its ways of speaking see it. */
export interface ITerminalHolder {
  readonly name: string;
  /** The terminal's id in the status book. */
  readonly id: string;
  readonly options: ITerminalOptions;
  /** What JupyterLab's terminal holds, by which its screen is found. */
  readonly socket: WebSocket;
  /** A connection is open; only the first time counts. */
  opened(): void;
  /** Give a message of terminado's. */
  message(text: string): void;
  /** It is over. */
  ended(code: number, reason: string): void;
  /** The server, or a proxy before it, does not let us speak in this way; nothing was shown yet. */
  foreign(): void;
}

/** A way of speaking. */
export interface ITerminalMode {
  readonly bufferedAmount: number;
  /** Take a message of terminado's. */
  send(text: string): void;
  /** Try again at once, or look whether the server is there. */
  hurry(): void;
  /** The holder has closed. */
  close(code: number, reason: string): void;
}
