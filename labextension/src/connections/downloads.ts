/**
 * The downloads of this tab: to a file that a person chooses, where the browser can write to one; else by HTTP.
 */
import { PathExt, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import { HubError } from '../protocol/errors';
import { TransferCreated, TransferStatus } from '../protocol/generated';
import { canKeep, keptBytes, removeParts, sweepParts } from './downloadParts';
import { DownloadStore, IDownloadRow } from './downloadStore';
import { Drive, IVehicle, KEPT } from './drive';
import { IEngineEvents } from './engineClient';
import { mayWrite } from './fileHandles';
import { ITransferContext } from './transferContext';
import { TransferRecord } from './transferRecord';
import { takeLock } from './transferStore';

/** A download over a stream: into a directory's archive, or a file. */
type Kind = IDownloadRow['kind'];

/** What TypeScript's library does not know of windows yet. */
interface IPickerWindow {
  showSaveFilePicker?(options: {
    suggestedName: string;
  }): Promise<FileSystemFileHandle>;
}

/** What a download needs of the page; tests bring their own. */
export interface IDownloadPage {
  /** Ask where to write; null where the browser cannot, `cancelled` where the person does not want to. */
  pick(name: string): Promise<FileSystemFileHandle | 'cancelled' | null>;
  /** Let the browser download an address. */
  fetch(url: string, name: string): void;
}

export class Downloads {
  constructor(
    private readonly _context: ITransferContext,
    private readonly _settings: ServerConnection.ISettings,
    private readonly _page: IDownloadPage = browserPage
  ) {
    this._store = new DownloadStore(_settings.baseUrl);
  }

  /** Whether something would be lost with the page. */
  get needsPage(): boolean {
    return [...this._drives.keys()].some(id => !this._rows.get(id)?.parts);
  }

  /** The drive of a download that goes over a stream. */
  drive(id: string): Drive | undefined {
    return this._drives.get(id);
  }

  /** Whether this tab can go on with a download, or writes it. */
  knows(id: string): boolean {
    return this._rows.has(id);
  }

  /** As `ITransferManager.download`. */
  async download(path: string): Promise<void> {
    const { connections, list } = this._context;
    const { type } = await connections.request('files.stat', { path });
    const kind = type === 'directory' ? 'zip' : 'file';
    const name = PathExt.basename(path) || 'files';
    const picked = await this._page.pick(kind === 'zip' ? `${name}.zip` : name);
    if (picked === 'cancelled') {
      return;
    }
    const record = new TransferRecord({
      ...{ id: UUID.uuid4(), direction: 'download', kind, path }
    });
    record.isMine = true;
    list.add(record);
    if (picked) {
      await this._stream(record, picked);
    } else {
      await this._overHttp(record);
    }
  }

  /** Begin one anew that has failed or was cancelled. */
  async retry(record: TransferRecord): Promise<void> {
    const handle = this._handles.get(record.id);
    if (handle && !(await mayWrite(handle, true))) {
      throw notAllowed();
    }
    await this.drop(record.id);
    record.op = null;
    record.progress(0, 0);
    record.state = 'waiting';
    record.error = null;
    if (handle) {
      await this._stream(record, handle);
    } else {
      await this._overHttp(record);
    }
  }

  /** Go on with what an earlier page has left: by itself where the browser allows it, else when a person wants it. */
  async restore(known: ReadonlyMap<string, TransferStatus>): Promise<void> {
    const rows = (await this._store.all()) ?? [];
    for (const row of rows) {
      const isOurs = row.server === this._store.server;
      const release =
        isOurs && !this.knows(row.id) ? await takeLock(row.id) : null;
      if (release) {
        release();
        await this._restore(row, known.get(row.op) ?? null);
      }
    }
    await this._sweep();
  }

  /**
   * Go on with one that an earlier page has left; `ask` and `before` as for uploads.
   *
   * @throws HubError `forbidden`: the file may not be written.
   */
  async reopen(
    record: TransferRecord,
    ask: boolean,
    before?: () => Promise<void>
  ): Promise<void> {
    const { handle } = this._rows.get(record.id)!;
    if (!(await mayWrite(handle, ask))) {
      throw notAllowed();
    }
    await before?.();
    // How it ends the list shows.
    this._stream(record, handle).catch(() => undefined);
  }

  /** Remove what has come of one that does not go on. */
  async drop(id: string): Promise<void> {
    const row = this._rows.get(id);
    this._rows.delete(id);
    if (row) {
      await this._store.remove(id);
    }
    if (row?.parts) {
      await removeParts(row.parts).catch(console.warn);
    }
  }

  /** Forget where it was written to. */
  async forget(id: string): Promise<void> {
    this._handles.delete(id);
    await this.drop(id);
  }

  private async _restore(
    row: IDownloadRow,
    status: TransferStatus | null
  ): Promise<void> {
    const { list } = this._context;
    const { id, kind, path, size, handle, parts } = row;
    const op = status && row.op;
    const record = new TransferRecord({
      ...{ id, op, direction: 'download', kind, path, size, state: 'paused' }
    });
    record.isOrphan = true;
    this._rows.set(id, row);
    this._handles.set(id, handle);
    if (parts) {
      record.written = await keptBytes(parts, size).catch(() => 0);
    }
    if (status) {
      record.take(status);
    }
    list.add(record);
    if (op) {
      list.adopt(record, op);
    }
    if (status?.state === 'failed' || status?.state === 'cancelled') {
      record.isMine = record.here = true;
      record.isOrphan = false;
      await this.drop(id);
      list.ended(record);
    } else if (status?.state !== 'paused' && (await mayWrite(handle, false))) {
      await this.reopen(record, false);
    }
  }

  /** Remove parts of which nobody knows: their page went in the middle of their end. */
  private async _sweep(): Promise<void> {
    await sweepParts(async () => {
      const rows = await this._store.all();
      return rows && new Set(rows.map(({ parts }) => parts ?? ''));
    }).catch(error =>
      console.warn('Downloads that were left are not looked for.', error)
    );
  }

  private async _create(record: TransferRecord): Promise<TransferCreated> {
    const { id, kind, path } = record;
    const { connections, list } = this._context;
    // What goes on behind parts must be of the same.
    const expect = this._rows.get(id)?.etag;
    const params = {
      ...({ direction: 'download', kind, path } as const),
      ...(expect && { expect })
    };
    const created = await list.make(record, () =>
      connections.request('transfers.create', params)
    );
    record.size = created.size;
    list.changed(true);
    return created;
  }

  private async _stream(
    record: TransferRecord,
    handle: FileSystemFileHandle
  ): Promise<void> {
    const { list } = this._context;
    const shows = (state: TransferRecord['state'], error: string | null) => {
      record.state = state;
      record.error = error;
      list.changed(true);
    };
    const release = await takeLock(record.id);
    if (!release) {
      throw HubError.of(
        'superseded',
        'Another tab goes on with this download.'
      );
    }
    record.isMine = record.here = true;
    record.isOrphan = false;
    const drive = new Drive(
      { begin: events => this._vehicle(record, handle, events) },
      {
        onRunning: ({ written, committing }) => {
          const before = record.state;
          record.state = committing ? 'committing' : 'running';
          record.error = null;
          record.progress(written, 0);
          list.changed(record.state !== before);
        },
        onWaiting: reason => shows('waiting', reason),
        onPaused: () => shows('paused', null),
        onResults: () => undefined,
        onVerified: () => undefined
      }
    );
    this._handles.set(record.id, handle);
    this._drives.set(record.id, drive);
    record.isDriven = true;
    let isKept = false;
    try {
      const { size } = await drive.run();
      record.written = size;
      shows('done', null);
    } catch (error) {
      const { code, message } = error as HubError;
      isKept = KEPT.has(code);
      const isCancelled = code === 'cancelled';
      shows(isCancelled ? 'cancelled' : 'failed', isCancelled ? null : message);
      if (!isCancelled) {
        throw error;
      }
    } finally {
      record.isDriven = false;
      this._drives.delete(record.id);
      if (!isKept) {
        // Its parts the job removes, when it has let go of them.
        this._rows.delete(record.id);
        await this._store.remove(record.id);
      }
      release();
      list.ended(record);
    }
  }

  private async _vehicle(
    record: TransferRecord,
    handle: FileSystemFileHandle,
    events: IEngineEvents
  ): Promise<IVehicle> {
    const { connections, engine } = this._context;
    if (record.op === null) {
      const created = await this._create(record).catch(async error => {
        if ((error as HubError).code === 'source_changed') {
          await this.drop(record.id);
        }
        throw error;
      });
      const { op } = created;
      if (this._drives.get(record.id)?.isStopped !== false) {
        // It was cancelled while it was made.
        await connections.request('transfers.cancel', { op });
      } else {
        await this._keep(record, handle, created);
      }
    }
    const { id, size } = record;
    const parts = this._rows.get(id)?.parts ?? null;
    const job = await engine.start(
      { kind: 'download', handle, size, parts },
      events
    );
    return { job, link: connections.fileStreamLink(record.op ?? '') };
  }

  /** Make sure that a page which is loaded later can go on. */
  private async _keep(
    { id, path, kind }: TransferRecord,
    handle: FileSystemFileHandle,
    { op, etag, size }: TransferCreated
  ): Promise<void> {
    const before = this._rows.get(id);
    const parts = (await canKeep(size)) ? UUID.uuid4() : null;
    const row: IDownloadRow = before
      ? { ...before, op }
      : {
          ...{ id, server: this._store.server, kind: kind as Kind, path },
          ...{ size, op, etag, handle, parts, createdMs: Date.now() }
        };
    if (await this._store.put(row)) {
      this._rows.set(id, row);
    }
  }

  /** The browser's own download; how it goes the topic tells. */
  private async _overHttp(record: TransferRecord): Promise<void> {
    // The browser moves the bytes: it can be watched, paused and cancelled, as another program's.
    record.here = false;
    try {
      const { op, name } = await this._create(record);
      this._page.fetch(contentUrl(this._settings, op), name);
    } catch (error) {
      record.state = 'failed';
      record.error = (error as Error).message;
      this._context.list.ended(record);
      throw error;
    }
  }

  private readonly _drives = new Map<string, Drive>();
  private readonly _handles = new Map<string, FileSystemFileHandle>();
  /** What another page can go on with. */
  private readonly _rows = new Map<string, IDownloadRow>();
  private readonly _store: DownloadStore;
}

function notAllowed(): HubError {
  return HubError.of(
    'forbidden',
    'The browser was not allowed to write the file.'
  );
}

/** Where the bytes of a download are to be had by HTTP; with the token where the page's own requests need one. */
export function contentUrl(
  settings: ServerConnection.ISettings,
  op: string
): string {
  const path = ['ws', 'file-stream', encodeURIComponent(op), 'content'];
  const url = URLExt.join(settings.baseUrl, ...path);
  return settings.appendToken && settings.token !== ''
    ? `${url}?token=${encodeURIComponent(settings.token)}`
    : url;
}

const browserPage: IDownloadPage = {
  pick: async suggestedName => {
    const { showSaveFilePicker } = window as unknown as IPickerWindow;
    if (!showSaveFilePicker || !window.isSecureContext) {
      return null;
    }
    try {
      return await showSaveFilePicker.call(window, { suggestedName });
    } catch (error) {
      if ((error as DOMException).name === 'AbortError') {
        return 'cancelled';
      }
      // No click is recent enough, or a frame of another origin: the browser's own way works there too.
      console.warn('The file cannot be chosen here.', error);
      return null;
    }
  },
  fetch: (url, name) => {
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.hidden = true;
    document.body.appendChild(link);
    link.click();
    link.remove();
  }
};
