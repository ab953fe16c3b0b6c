/**
 * This tab's transfers, and those of the same user elsewhere: the public face of uploads and downloads.
 */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import { TransferStatus } from '../protocol/generated';
import {
  ITransfer,
  ITransferManager,
  IUploadConflict,
  IUploadItem,
  IUploadOptions,
  IUploadResult
} from '../tokens';
import { findConflicts } from './conflicts';
import { Downloads, IDownloadPage } from './downloads';
import { Drive } from './drive';
import { EngineClient } from './engineClient';
import { OpenSocket } from './streamLine';
import { ITransferConnections, ITransferContext } from './transferContext';
import { TransferList } from './transferList';
import { hasEnded, TransferRecord } from './transferRecord';
import { TransferStore } from './transferStore';
import { Turns } from './turns';
import { Uploads } from './uploads';
import { openWebSocket } from './webSocket';

/** Uploads of large files that run at the same time; the others wait. */
const AT_A_TIME = 3;

/** What transfers need; the last three are for tests. */
export interface ITransferManagerOptions {
  connections: ITransferConnections;
  settings: ServerConnection.ISettings;
  /** Starts the worker. */
  spawn: () => Worker;
  open?: OpenSocket;
  page?: IDownloadPage;
}

export class TransferManager implements ITransferManager, IDisposable {
  constructor(options: ITransferManagerOptions) {
    const { connections, settings, page } = options;
    const open: OpenSocket =
      options.open ??
      ((...socket) => openWebSocket(settings.WebSocket, ...socket));
    this._list = new TransferList({
      onChange: () => this._changed.emit(),
      onEnd: record => this._ended.emit(record),
      onDriven: (...told) => this._onDriven(...told)
    });
    this._context = {
      connections,
      engine: new EngineClient(options.spawn, open),
      list: this._list,
      store: new TransferStore(settings.baseUrl),
      turns: new Turns(AT_A_TIME)
    };
    this._uploads = new Uploads(this._context);
    this._downloads = new Downloads(this._context, settings, page);
  }

  get isDisposed(): boolean {
    return this._following?.isDisposed ?? false;
  }

  get transfers(): readonly ITransfer[] {
    return this._list.records;
  }

  get changed(): ISignal<ITransferManager, void> {
    return this._changed;
  }

  get ended(): ISignal<ITransferManager, ITransfer> {
    return this._ended;
  }

  /** Follow what the server tells, and go on with what an earlier page has left; resolves when that is done. */
  async start(): Promise<void> {
    this._following = this._list.follow(this._context.connections);
    window.addEventListener('beforeunload', this._onUnload);
    window.addEventListener('online', this._onOnline);
    const known = await this._list.known;
    await this._uploads.restore(known);
    await this._downloads.restore(known);
  }

  dispose(): void {
    this._following?.dispose();
    window.removeEventListener('beforeunload', this._onUnload);
    window.removeEventListener('online', this._onOnline);
    const error = HubError.of('unavailable', 'The transfers were closed.');
    this._list.records.forEach(({ id }) => this._drive(id)?.stop(error));
    Signal.clearData(this);
  }

  upload(
    items: readonly IUploadItem[],
    directory: string,
    options: IUploadOptions = {}
  ): Promise<IUploadResult> {
    return this._uploads.upload(items, directory, options);
  }

  conflicts(
    items: readonly IUploadItem[],
    directory: string
  ): Promise<IUploadConflict[]> {
    return findConflicts(this._context.connections, items, directory);
  }

  download(path: string): Promise<void> {
    return this._downloads.download(path);
  }

  async pause(id: string): Promise<void> {
    const record = this._find(id);
    const drive = this._drive(id);
    drive?.pause();
    if (drive) {
      this._show(record, 'paused');
    }
    if (record.op !== null) {
      await this._request('transfers.pause', record.op);
    }
  }

  async resume(id: string): Promise<void> {
    const record = this._find(id);
    const drive = this._drive(id);
    const onServer = async () => {
      if (record.op !== null) {
        await this._request('transfers.resume', record.op);
      }
    };
    const keeper = this._keeper(id);
    if (!drive && keeper) {
      await (hasEnded(record.state)
        ? this.retry(id)
        : keeper.reopen(record, true, onServer));
      return;
    }
    await onServer();
    if (drive) {
      this._show(record, 'waiting');
      drive.resume();
    }
  }

  async provide(
    id: string,
    file: File | readonly IUploadItem[]
  ): Promise<void> {
    const record = this._find(id);
    if (record.state === 'paused' && record.op !== null) {
      await this._request('transfers.resume', record.op);
    }
    await this._uploads.provide(record, file);
  }

  async cancel(id: string): Promise<void> {
    const record = this._list.find(id);
    if (!record || hasEnded(record.state)) {
      return;
    }
    const [drive, keeper] = [this._drive(id), this._keeper(id)];
    if (record.state === 'committing' && record.op !== null) {
      // It may be too late: the server says so then.
      await this._request('transfers.cancel', record.op);
    }
    if (drive) {
      drive.stop(HubError.of('cancelled', `${record.path} was cancelled.`));
      this._show(record, 'cancelled');
    } else if (keeper) {
      record.isMine = true;
      this._show(record, 'cancelled');
      await keeper.drop(id);
      this._list.ended(record);
    }
    if (record.op !== null) {
      await this._request('transfers.cancel', record.op);
    }
  }

  async retry(id: string): Promise<void> {
    const record = this._find(id);
    if (!hasEnded(record.state) || this._drive(id)) {
      throw HubError.of('invalid', 'It has not ended yet.');
    }
    if (record.direction === 'download') {
      await this._downloads.retry(record);
    } else {
      await this._uploads.retry(record);
    }
  }

  async forget(id: string): Promise<void> {
    const record = this._find(id);
    if (!hasEnded(record.state)) {
      throw HubError.of('invalid', 'It has not ended yet.');
    }
    this._list.remove(record);
    await this._downloads.forget(id);
    await this._uploads.forget(id);
    if (record.op !== null) {
      await this._request('transfers.forget', record.op);
    }
  }

  /** Connect the stream of an operation now if it waits for its next attempt; null: all streams. */
  hurry(op: string | null): void {
    for (const record of this._list.records) {
      if (op === null || record.op === op) {
        this._drive(record.id)?.hurry();
      }
    }
  }

  /** The server tells of a transfer that this tab drives: somebody steers it elsewhere. */
  private _onDriven(
    record: TransferRecord,
    status: TransferStatus,
    before: TransferStatus['state'] | null
  ): void {
    const drive = this._drive(record.id);
    const { state, error } = status;
    if (state === 'cancelled') {
      drive?.stop(HubError.of('cancelled', `${record.path} was cancelled.`));
    } else if (state === 'paused' && drive && !drive.isPaused) {
      drive.pause();
      this._show(record, 'paused');
    } else if (before === 'paused' && state !== 'paused' && drive?.isPaused) {
      this._show(record, 'waiting');
      drive.resume();
    } else if (state === 'failed' && record.state === 'waiting' && error) {
      drive?.stop(HubError.from(error));
    }
  }

  private _show(record: TransferRecord, state: ITransfer['state']): void {
    record.state = state;
    record.error = null;
    this._list.changed(true);
  }

  /** What can go on with a transfer that an earlier page has left. */
  private _keeper(id: string): Uploads | Downloads | null {
    return (
      [this._uploads, this._downloads].find(keeper => keeper.knows(id)) ?? null
    );
  }

  private _drive(id: string): Drive | undefined {
    return this._uploads.run(id)?.drive ?? this._downloads.drive(id);
  }

  private _find(id: string): TransferRecord {
    const record = this._list.find(id);
    if (!record) {
      throw HubError.of('not_found', 'There is no such transfer any more.');
    }
    return record;
  }

  /** Steer an operation; one that the server has forgotten needs no steering. */
  private async _request(
    method: `transfers.${'pause' | 'resume' | 'cancel' | 'forget'}`,
    op: string
  ): Promise<void> {
    try {
      await this._context.connections.request(method, { op });
    } catch (error) {
      if ((error as HubError).code !== 'not_found') {
        throw error;
      }
    }
  }

  private readonly _onUnload = (event: BeforeUnloadEvent): void => {
    if (this._uploads.needsPage || this._downloads.needsPage) {
      event.preventDefault();
    }
  };

  private readonly _onOnline = (): void => this.hurry(null);

  private readonly _list: TransferList;
  private readonly _context: ITransferContext;
  private readonly _uploads: Uploads;
  private readonly _downloads: Downloads;
  private readonly _changed = new Signal<ITransferManager, void>(this);
  private readonly _ended = new Signal<ITransferManager, ITransfer>(this);
  private _following: IDisposable | null = null;
}
