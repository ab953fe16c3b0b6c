/**
 * The public face of the extension: what other extensions may import.
 */
import { Token } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal } from '@lumino/signaling';

import {
  EventsOf,
  MethodName,
  Methods,
  Position,
  SnapshotOf,
  StreamName,
  Streams
} from './protocol/generated';

/** The three kinds of connections. */
export type Service = 'main' | 'terminal' | 'file-stream';

/**
 * How a connection is. `idle`: nothing is open. `disconnected`: it ended and will not come back by itself.
 * `failed`: the server refused for good; `lastError` says why.
 */
export type ConnectionState =
  | 'idle'
  | 'connecting'
  | 'connected'
  | 'reconnecting'
  | 'disconnected'
  | 'failed';

/** The state of one connection, or the worst one of a service. */
export interface IConnectionStatus {
  readonly service: Service;
  /** A terminal's name or an operation's id; null for the main connection and for `idle`. */
  readonly id: string | null;
  readonly state: ConnectionState;
  /** Since when it is in this state: milliseconds since 1970-01-01 UTC. */
  readonly since: number;
  /** Attempts to connect since the last time it was connected. */
  readonly attempts: number;
  /** What went wrong last, for a person; null if nothing has. */
  readonly lastError: string | null;
  /** The last round trip in milliseconds; null where it was not measured. */
  readonly roundTripMs: number | null;
}

/** One event of a topic. */
export type TopicEvent<T extends string> = {
  [K in keyof EventsOf<T>]: {
    readonly kind: K;
    readonly data: EventsOf<T>[K];
    readonly id: string;
    /** Milliseconds since 1970-01-01 UTC, by the server's clock. */
    readonly time: number;
    /** The place in the topic's log; null where it keeps none. */
    readonly offset: number | null;
  };
}[keyof EventsOf<T>];

/** What a subscriber is told. Positions are kept for it: over reconnects it misses nothing and sees nothing twice. */
export interface ISubscriber<T extends string> {
  /** Something happened in the topic. */
  onEvent(event: TopicEvent<T>): void;
  /**
   * The state of the topic, where events alone do not give it: at the start on a topic without a log, and after
   * a gap that the server cannot fill (`reason` is set then). Null where the topic has no snapshot.
   */
  onSnapshot?(snapshot: SnapshotOf<T> | null, reason: string | null): void;
  /** Replay is complete; what follows is new. */
  onLive?(): void;
  /** The server refuses the subscription; nothing more will come. */
  onError?(error: Error): void;
}

/** Where a subscription starts: at what is kept earliest, at what comes from now on, or after a position. */
export type Since = 'earliest' | 'latest' | Position;

/** Options of a request. */
export interface IRequestOptions {
  /** Milliseconds after which the server gives up and answers with `timeout`. */
  timeoutMs?: number;
  /** Aborting cancels the request on the server; the promise then rejects with `cancelled`. */
  signal?: AbortSignal;
  /**
   * Calling it twice does no harm: it is called again when it is not known whether it ran. Needed for methods of other
   * extensions only; the server declares it with `@method(…, idempotent=True)`.
   */
  idempotent?: boolean;
}

/**
 * Owns every connection to the server half.
 *
 * The objects that the `connect…` methods give have the face of a `WebSocket`. They reject when the server refuses
 * for good; a connection that drops comes back by itself, with growing pauses and without a limit of attempts.
 */
export interface IConnectionManager {
  /**
   * The connection for messages, `/ws`. The socket is virtual: many holders share one connection; closing it detaches
   * its holder, the connection stays. It takes and gives text frames of the hub protocol; `ref`s are its holder's own.
   */
  connectMain(): Promise<WebSocket>;

  /**
   * A terminal that exists, by its name: `/ws/terminal/<terminalId>`, with terminado's JSON messages. It reconnects by
   * itself, and goes on where it was: with what the terminal has written meanwhile, and with what was sent meanwhile. Where
   * output is lost the screen is cleared (`ESC c`). It closes when the terminal has ended (after a `disconnect`) or was
   * given up.
   */
  connectTerminal(terminalId: string): Promise<WebSocket>;

  /**
   * The bytes of a transfer that was made by the method `transfers.create`: `/ws/file-stream/<operationId>`. It does
   * not reconnect by itself: connect again and go on where the server's welcome says.
   */
  connectFileStream(operationId: string): Promise<WebSocket>;

  /**
   * The state of a connection now. Without an id: the worst state among the service's connections, `idle` if there
   * are none.
   */
  getConnectionStatus(service: Service, id?: string): IConnectionStatus;

  /** Emitted with the new status whenever any connection's status changes. */
  readonly statusChanged: ISignal<IConnectionManager, IConnectionStatus>;

  /**
   * Connect at once what waits for its next attempt, and ask what seems to be connected whether it is: without an answer
   * soon it connects anew. Nothing is lost by it. Without an id: all connections of the service. What the server has
   * refused for good, or what is not in use, stays so.
   */
  reconnect(service: Service, id?: string): void;

  /**
   * Measure the round trip of the connection for messages now, if it is connected; `statusChanged` tells the result. It
   * is measured by itself a few times a minute; this is for who shows it live, every second at most.
   */
  measure(): void;

  /**
   * Call a method of a service. The request survives reconnects and runs at most once.
   *
   * @throws HubError with a code of the code table. Where it is `retryable` (`busy`, `rate_limited` …) the caller may
   * ask again, after `retryAfterMs` if that is set.
   */
  request<M extends MethodName>(
    method: M,
    params: Methods[M]['params'],
    options?: IRequestOptions
  ): Promise<Methods[M]['result']>;

  /**
   * Call a method whose reply comes in items: `for await (const item of manager.stream(…))`. Each iteration is a call of
   * its own. Leaving the loop cancels it on the server, and so does the signal, after which the loop throws `cancelled`.
   *
   * Over reconnects each item is given once; the method is run again for that, so where what it lists has changed
   * meanwhile, items before and after the break can be of different states.
   *
   * Take the items soon: while more than 256 Ki characters of one stream wait, the server holds back topics and streams
   * of the whole tab (not answers to requests). Do not wait for a topic or another stream inside of the loop. A stream of
   * which nothing is taken for a minute is ended with `slow_consumer`.
   *
   * @throws HubError with a code of the code table, from the loop.
   */
  stream<S extends StreamName>(
    method: S,
    params: Streams[S]['params'],
    options?: IRequestOptions
  ): AsyncIterable<Streams[S]['item']>;

  /** Follow a topic, from `since` (default `latest`). Dispose the result to stop. */
  subscribe<T extends string>(
    topic: T,
    subscriber: ISubscriber<T>,
    since?: Since
  ): IDisposable;
}

/** The token of the connection manager, for `requires` or `optional` of another extension's plugin. */
export const IConnectionManager = new Token<IConnectionManager>(
  'jupyter-ws-hub:IConnectionManager',
  'Every connection to the jupyter_ws_hub server extension: messages, terminals and file streams.'
);

/**
 * How a transfer is. `needs-file`: the page was loaded anew, and the browser lets nobody read the file again before a
 * person has chosen it (or has allowed it).
 */
export type TransferState =
  | 'waiting'
  | 'running'
  | 'paused'
  | 'needs-file'
  | 'committing'
  | 'done'
  | 'failed'
  | 'cancelled';

/** What to do where a name is taken. */
export type IfExists = 'fail' | 'overwrite' | 'rename' | 'skip';

/** One transfer of this user: of this tab, of another one, or of a program. */
export interface ITransfer {
  readonly id: string;
  readonly direction: 'upload' | 'download';
  /** One file; a directory's many small files; a directory as an archive. */
  readonly kind: 'file' | 'tree' | 'zip';
  /** The file's API path on the server, or the directory's. */
  readonly path: string;
  /** Bytes in all. */
  readonly size: number;
  /** Bytes that the receiver has written. */
  readonly written: number;
  /** Files and directories of a tree, and how many of them are done with. */
  readonly entries: number;
  readonly settled: number;
  readonly state: TransferState;
  /** Whether this tab moves its bytes, or can. Others can only be watched, paused and cancelled. */
  readonly here: boolean;
  /** Whether its file, or files, must be chosen again before it can go on, or be begun anew: see `provide`. */
  readonly lacksFile: boolean;
  /** Bytes per second, over the last seconds. */
  readonly rate: number;
  /** Milliseconds that it will still take at this rate; null where that cannot be said. */
  readonly remainingMs: number | null;
  /** What went wrong, for a person. */
  readonly error: string | null;
  /** Files of a tree that are not there at the end, and why. */
  readonly failures: readonly { path: string; message: string }[];
}

/** A file or directory to upload. */
export interface IUploadItem {
  /** Relative to the directory into which it goes, with `/`. */
  readonly path: string;
  /** Null for a directory, which is needed for empty ones only. */
  readonly file: File | null;
  /** Where the browser has one: with it the upload goes on after the page was loaded anew. */
  readonly handle?: FileSystemFileHandle;
  /** The same for a dropped directory, of which `path` begins with the name: one instead of a handle for each file. */
  readonly base?: FileSystemDirectoryHandle;
}

/** A name that an upload would make and that is taken. */
export interface IUploadConflict {
  /** As in the item. */
  readonly path: string;
  readonly type: 'file' | 'directory';
  readonly size: number;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly modified: number;
  readonly etag: string;
}

/** What an upload has come to. */
export interface IUploadResult {
  /** API paths of the files that are there now. */
  readonly paths: readonly string[];
  readonly failures: readonly { path: string; message: string }[];
}

/** Options of an upload. */
export interface IUploadOptions {
  /** Where a name is taken; default `rename`. */
  ifExists?: IfExists;
  /** Names that are treated otherwise, by the items' paths: `overwrite` only if the etag is still this. */
  decided?: ReadonlyMap<string, { ifExists: IfExists; etag?: string }>;
}

/** Moves files between the browser and the server. */
export interface ITransferManager {
  /**
   * Upload files and directories into a directory (API path). Large files are transfers of their own, small ones go
   * together. Resolves when all have ended; rejects only when none could begin.
   */
  upload(
    items: readonly IUploadItem[],
    directory: string,
    options?: IUploadOptions
  ): Promise<IUploadResult>;
  /** Which names are taken. */
  conflicts(
    items: readonly IUploadItem[],
    directory: string
  ): Promise<IUploadConflict[]>;
  /**
   * Download a file, or a directory as an archive. Where the browser can write to a file that a person chooses, over a
   * stream; otherwise the browser downloads it by HTTP. Resolves when it has begun; with a stream, when it has ended.
   */
  download(path: string): Promise<void>;
  /** Stop until `resume`; nothing is lost. */
  pause(id: string): Promise<void>;
  /** Go on; with `needs-file` this must be called by a click, so that the browser may ask for permission. */
  resume(id: string): Promise<void>;
  /**
   * Go on with a file that was chosen again, or with all files of a tree; rejects if it is not the same. A tree's files
   * are found by their paths; what is not there, or not the same, is told at the end as for any other. One that has
   * ended is begun anew, with the files as they are now.
   */
  provide(id: string, file: File | readonly IUploadItem[]): Promise<void>;
  /** Cancel a transfer; what it has left on the server is removed. */
  cancel(id: string): Promise<void>;
  /**
   * Begin one that has failed, or was cancelled, anew; must be called by a click where the page was loaded anew, so that
   * the browser may ask for permission. Rejects with `unsupported` where its file must be chosen again.
   */
  retry(id: string): Promise<void>;
  /** Take one that has ended out of the list. */
  forget(id: string): Promise<void>;
  /** This user's transfers, oldest first. */
  readonly transfers: readonly ITransfer[];
  /** Emitted whenever a transfer changes, at most a few times a second. */
  readonly changed: ISignal<ITransferManager, void>;
  /** Emitted when a transfer of this tab has ended. */
  readonly ended: ISignal<ITransferManager, ITransfer>;
}

/** The token of the transfer manager. */
export const ITransferManager = new Token<ITransferManager>(
  'jupyter-ws-hub:ITransferManager',
  'Uploads and downloads over file streams of the jupyter_ws_hub server extension.'
);
