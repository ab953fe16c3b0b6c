/**
 * One upload of this tab, from its place in the queue to its end, with all that may come between: pauses, another tab, a
 * page that is loaded anew.
 */
import { PathExt } from '@jupyterlab/coreutils';

import { HubError } from '../protocol/errors';
import { Done, EntryResult } from '../protocol/generated';
import { IUploadResult } from '../tokens';
import { Drive, IDriveOptions, IVehicle, KEPT } from './drive';
import { IEngineEvents } from './engineClient';
import { hasHandles } from './fileHandles';
import { ITransferContext } from './transferContext';
import { JobSpec } from './transferJob';
import { TransferRecord } from './transferRecord';
import { IRow, takeLock } from './transferStore';

/** What an upload begins with. */
export interface IUploadStart {
  readonly row: IRow;
  /** In the order of the row's entries. */
  readonly files: ReadonlyArray<File | null>;
  readonly record: TransferRecord;
  /** It was begun before this page was loaded: the server's part is compared. */
  readonly resumed?: boolean;
  readonly ready?: Promise<void>;
  onVerified?(): void;
}

export class UploadRun {
  constructor(
    private readonly _context: ITransferContext,
    private readonly _start: IUploadStart
  ) {
    const { record } = _start;
    const options: IDriveOptions = {
      begin: drive => this._begin(drive),
      ...(_start.ready && { ready: _start.ready }),
      // The many small ones do not wait behind large ones.
      ...(this._row.kind === 'file' && { turns: _context.turns })
    };
    this.drive = new Drive(options, {
      onRunning: ({ written, settled, committing }) => {
        const before = record.state;
        record.state = committing ? 'committing' : 'running';
        record.error = null;
        record.progress(written, settled);
        this._settledChanged();
        _context.list.changed(record.state !== before);
      },
      onWaiting: reason => this._shows('waiting', reason),
      onPaused: () => this._shows('paused', null),
      onResults: results => results.forEach(one => this._take(one)),
      onVerified: () => _start.onVerified?.()
    });
  }

  readonly drive: Drive;

  get record(): TransferRecord {
    return this._start.record;
  }

  get row(): IRow {
    return this._row;
  }

  /** Whether it cannot go on by itself when the page is loaded anew. */
  get needsPage(): boolean {
    return !hasHandles(this._row);
  }

  /** Whether there was ever an operation. */
  get hasBegun(): boolean {
    return this.record.op !== null;
  }

  /** Resolves when so many entries are settled, or when nothing more will be. */
  whenSettled(entries: number): Promise<void> {
    return new Promise(resolve => {
      this._waiting.push({ entries, resolve });
      this._settledChanged();
    });
  }

  /**
   * Move it.
   *
   * @throws HubError: it has failed, or was stopped.
   */
  async run(): Promise<IUploadResult> {
    const { record } = this;
    const { list, store } = this._context;
    const release = await takeLock(this._row.id);
    if (!release) {
      throw HubError.of('superseded', 'Another tab goes on with this upload.');
    }
    record.isMine = record.isDriven = record.here = true;
    record.isOrphan = false;
    this._shows(this.drive.isPaused ? 'paused' : 'waiting', null);
    try {
      const done = await this.drive.run();
      record.written = record.size;
      record.settled = record.entries;
      record.error = done.warning;
      record.path = this._row.kind === 'file' ? done.path : record.path;
      const result = this._result(done);
      record.failures = result.failures;
      record.state = 'done';
      await store.remove(this._row.id);
      return result;
    } catch (error) {
      await this._failed(error as HubError);
      throw error;
    } finally {
      this._isOver = true;
      this._settledChanged();
      record.isDriven = false;
      release();
      list.changed(true);
    }
  }

  private async _failed({ code, message }: HubError): Promise<void> {
    const { record } = this;
    const { store, connections } = this._context;
    record.error = code === 'cancelled' ? null : message;
    if (code === 'superseded') {
      // It goes on elsewhere: what the server tells is shown from now on.
      record.isMine = false;
      record.isOrphan = true;
      record.here = false;
      record.state = 'waiting';
    } else if (this._start.resumed && code === 'source_changed') {
      record.isOrphan = true;
      record.state = 'needs-file';
    } else {
      record.state = code === 'cancelled' ? 'cancelled' : 'failed';
      if (!KEPT.has(code)) {
        await store.remove(this._row.id);
      }
      if (code === 'source_changed' && record.op !== null) {
        // Nothing goes on with it: what it has left on the server would lie there for a day.
        await connections
          .request('transfers.cancel', { op: record.op })
          .catch(() => undefined);
      }
    }
  }

  private async _begin(drive: IEngineEvents): Promise<IVehicle> {
    const { record } = this;
    const { connections, engine, list, store } = this._context;
    if (record.op === null) {
      const { op } = await list.make(record, () =>
        connections.request('transfers.create', this._params())
      );
      if (this.drive.isStopped) {
        // It was cancelled while it was made.
        await connections.request('transfers.cancel', { op });
      }
      await store.setOp(this._row.id, op);
    }
    const job = await engine.start(this._spec(), drive);
    return { job, link: connections.fileStreamLink(record.op ?? '') };
  }

  private _params() {
    const { kind, directory, entries, ifExists } = this._row;
    const size = entries.reduce((sum, one) => sum + one.size, 0);
    const file = entries[0];
    const direction = 'upload' as const;
    if (kind === 'tree' || !file) {
      const count = { size, entries: entries.length };
      return {
        ...{ direction, kind, path: directory, if_exists: ifExists },
        ...count
      };
    }
    return {
      ...{ direction, kind, path: PathExt.join(directory, file.path), size },
      mtime_ms: file.mtimeMs,
      if_exists: file.ifExists ?? ifExists,
      ...(file.expect !== undefined && { expect: file.expect })
    };
  }

  private _spec(): JobSpec {
    const { files, resumed = false } = this._start;
    const { kind, entries } = this._row;
    const file = files[0];
    if (kind === 'file' && file) {
      return { kind, file, resumed };
    }
    const items = entries.map((entry, n) => {
      const { path, type, size, mtimeMs, ifExists, expect } = entry;
      return {
        ...{ path, type, size, mtimeMs, file: files[n] ?? null },
        ...(ifExists && { ifExists }),
        ...(expect !== undefined && { expect })
      };
    });
    return { kind: 'tree', items };
  }

  /** Why a file could not be read this side knows better, and knows first. */
  private _take(result: EntryResult): void {
    const before = this._results.get(result.entry);
    if (before?.error?.code !== 'source_changed') {
      this._results.set(result.entry, result);
    }
  }

  /** What has become of each entry. */
  private _result(done: Done): IUploadResult {
    const { kind, directory, entries } = this._row;
    if (kind === 'file') {
      return { paths: [done.path], failures: [] };
    }
    const paths: string[] = [];
    const failures: Array<{ path: string; message: string }> = [];
    entries.forEach(({ path, type }, n) => {
      const special = this._results.get(n);
      if (special?.state === 'failed') {
        const message = special.error?.message ?? 'It could not be read.';
        failures.push({ path, message });
      } else if (type === 'file' && special?.state !== 'skipped') {
        paths.push(PathExt.join(directory, special?.path ?? path));
      }
    });
    return { paths, failures };
  }

  private _shows(state: TransferRecord['state'], error: string | null): void {
    this.record.state = state;
    this.record.error = error;
    this._context.list.changed(true);
  }

  private _settledChanged(): void {
    const { settled } = this.record;
    this._waiting = this._waiting.filter(({ entries, resolve }) => {
      const holds = this._isOver || settled >= entries;
      if (holds) {
        resolve();
      }
      return !holds;
    });
  }

  private get _row(): IRow {
    return this._start.row;
  }

  private readonly _results = new Map<number, EntryResult>();
  private _waiting: Array<{ entries: number; resolve(): void }> = [];
  private _isOver = false;
}
