/**
 * The downloads of this tab: to a file that a person chooses, where the browser can write to one; else by HTTP.
 */
import { PathExt, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import { HubError } from '../protocol/errors';
import { TransferCreated } from '../protocol/generated';
import { Drive, IVehicle } from './drive';
import { IEngineEvents } from './engineClient';
import { ITransferContext } from './transferContext';
import { TransferRecord } from './transferRecord';

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
  ) {}

  /** Whether something would be lost with the page. */
  get needsPage(): boolean {
    return this._drives.size > 0;
  }

  /** The drive of a download that goes over a stream. */
  drive(id: string): Drive | undefined {
    return this._drives.get(id);
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

  /** Forget where it was written to. */
  forget(id: string): void {
    this._handles.delete(id);
  }

  private async _create(record: TransferRecord): Promise<TransferCreated> {
    const { kind, path } = record;
    const { connections, list } = this._context;
    const params = { direction: 'download', kind, path } as const;
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
    try {
      const { size } = await drive.run();
      record.written = size;
      shows('done', null);
    } catch (error) {
      const { code, message } = error as HubError;
      const isCancelled = code === 'cancelled';
      shows(isCancelled ? 'cancelled' : 'failed', isCancelled ? null : message);
      if (!isCancelled) {
        throw error;
      }
    } finally {
      record.isDriven = false;
      this._drives.delete(record.id);
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
      const { op } = await this._create(record);
      if (this._drives.get(record.id)?.isStopped !== false) {
        // It was cancelled while it was made.
        await connections.request('transfers.cancel', { op });
      }
    }
    const job = await engine.start({ kind: 'download', handle }, events);
    return { job, link: connections.fileStreamLink(record.op ?? '') };
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
