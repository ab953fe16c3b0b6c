/**
 * The uploads of this tab: begins them, goes on with those of a page that was loaded anew, and lets them be steered.
 */
import { PathExt } from '@jupyterlab/coreutils';

import { HubError } from '../protocol/errors';
import { TransferStatus } from '../protocol/generated';
import { IUploadItem, IUploadOptions, IUploadResult } from '../tokens';
import { findFiles, hasHandles, permission } from './fileHandles';
import { ITransferContext } from './transferContext';
import { hasEnded, TransferRecord } from './transferRecord';
import { IRow, takeLock } from './transferStore';
import { IPlanned, planUpload } from './uploadPlan';
import { IUploadStart, UploadRun } from './uploadRun';

const CHOOSE = 'Choose the file again to go on with its upload.';
const CHANGED =
  'The file has changed since its upload was begun. Choose that version, or cancel the upload.';

/** What is known of an upload: enough to go on with it, or to begin it anew. */
interface ISource {
  row: IRow;
  /** Null: lost with the page before. */
  files: ReadonlyArray<File | null> | null;
}

export class Uploads {
  constructor(private readonly _context: ITransferContext) {}

  /** Whether something runs that could not go on by itself if the page was loaded anew. */
  get needsPage(): boolean {
    return [...this._runs.values()].some(
      run => run.needsPage && !run.drive.isPaused
    );
  }

  /** As `ITransferManager.upload`. */
  async upload(
    items: readonly IUploadItem[],
    directory: string,
    options: IUploadOptions
  ): Promise<IUploadResult> {
    const { server } = this._context.store;
    const planned = planUpload(items, directory, options, server, Date.now());
    const begun = planned.map(one => this._begin(one));
    const ends = await Promise.allSettled(begun.map(({ end }) => end));
    const paths: string[] = [];
    const failures: Array<{ path: string; message: string }> = [];
    let reason: unknown = null;
    ends.forEach((end, n) => {
      if (end.status === 'fulfilled') {
        paths.push(...end.value.paths);
        failures.push(...end.value.failures);
        return;
      }
      const { row } = planned[n]!;
      const { code, message } = end.reason as HubError;
      reason ??= end.reason;
      // The name was taken, and was to be left alone then.
      if (code !== 'exists' || row.ifExists !== 'skip') {
        failures.push(
          ...row.entries
            .filter(({ type }) => type === 'file')
            .map(({ path }) => ({ path, message }))
        );
      }
    });
    if (reason !== null && !begun.some(({ run }) => run.hasBegun)) {
      throw reason;
    }
    return { paths, failures };
  }

  /** The run that moves an upload's bytes. */
  run(id: string): UploadRun | undefined {
    return this._runs.get(id);
  }

  /** Whether this tab knows what was to be uploaded. */
  knows(id: string): boolean {
    return this._sources.has(id);
  }

  /** Keep nothing any more for a page that is loaded later. */
  async drop(id: string): Promise<void> {
    await this._context.store.remove(id);
  }

  /** Forget what was to be uploaded. */
  async forget(id: string): Promise<void> {
    this._sources.delete(id);
    await this.drop(id);
  }

  /** Begin one anew that has failed or was cancelled; of a tree that was done, what failed of it. */
  async retry(record: TransferRecord): Promise<void> {
    const source = this._sources.get(record.id);
    const files = await this._filesOf(record, source, true);
    if (source && hasEnded(record.state)) {
      this._anew(record, source, files);
    }
  }

  private _anew(
    record: TransferRecord,
    source: ISource,
    given: ReadonlyArray<File | null>
  ): void {
    // As the files are now: they may have changed since.
    const all = source.files ? source.row : refreshed(source.row, given);
    Object.assign(source, { row: all, files: given });
    const planned = { row: all, files: given };
    const { row, files } = onlyFailed(planned, record);
    record.op = null;
    record.failures = [];
    record.path = pathOf(row);
    record.progress(0, 0);
    record.entries = row.kind === 'tree' ? row.entries.length : 0;
    record.size = row.entries.reduce((sum, { size }) => sum + size, 0);
    void this._context.store.put(row);
    this._watch(this._go({ row, files, record }));
  }

  /**
   * Go on with an upload that waits for its files, by handles; `ask`: a person has clicked, so the browser may ask.
   * `before` is what must be done before bytes move, and after the asking, for which a click is soon too old.
   *
   * @throws HubError: there are no handles, or no permission to read.
   */
  async reopen(
    record: TransferRecord,
    ask: boolean,
    before?: () => Promise<void>
  ): Promise<void> {
    const source = this._sources.get(record.id);
    const files = await this._filesOf(record, source, ask);
    await before?.();
    // Whether the files are the same shows later, in the list.
    this._resume(record, source!, files).catch(() => undefined);
  }

  /** The files of an upload, found by their handles where they are not at hand. */
  private async _filesOf(
    record: TransferRecord,
    source: ISource | undefined,
    ask: boolean
  ): Promise<ReadonlyArray<File | null>> {
    if (source?.files) {
      return source.files;
    }
    if (!source || record.lacksFile || !hasHandles(source.row)) {
      throw HubError.of('unsupported', CHOOSE);
    }
    if ((await permission(source.row, ask)) !== 'granted') {
      throw HubError.of(
        'forbidden',
        'The browser was not allowed to read the file again.'
      );
    }
    const files = await findFiles(source.row);
    if (source.row.kind === 'file' && !files[0]) {
      // Moved, or removed: its handle leads nowhere any more.
      record.lacksFile = true;
      this._context.list.changed(true);
      throw HubError.of('unsupported', CHOOSE);
    }
    return files;
  }

  /** Go on with files that were chosen again; resolves when they were compared, rejects if they are not the same. */
  async provide(
    record: TransferRecord,
    given: File | readonly IUploadItem[]
  ): Promise<void> {
    const source = this._sources.get(record.id);
    if (!source || this._runs.has(record.id)) {
      throw HubError.of('not_found', 'This upload waits for no file.');
    }
    const { row } = source;
    const files = Array.isArray(given)
      ? row.entries.map(({ path }) => fileAt(given, path))
      : [given as File];
    const [entry, file] = [row.entries[0], files[0]];
    if (row.kind === 'file' && entry) {
      if (!file || file.name !== entry.name) {
        throw HubError.of(
          'source_changed',
          `The upload was begun with ${entry.name}, and not with ${file?.name ?? 'nothing'}. Choose that file.`
        );
      }
      const isSame =
        file.size === entry.size && file.lastModified === entry.mtimeMs;
      if (!isSame && !hasEnded(record.state)) {
        throw HubError.of('source_changed', CHANGED);
      }
    }
    if (hasEnded(record.state)) {
      this._anew(record, source, files);
      return;
    }
    await this._resume(record, source, files);
  }

  /** Go on with what an earlier page has left. */
  async restore(known: ReadonlyMap<string, TransferStatus>): Promise<void> {
    const { list, store } = this._context;
    for (const { row, op } of await store.all()) {
      if (this._sources.has(row.id)) {
        continue;
      }
      const release = await takeLock(row.id);
      if (!release) {
        continue;
      }
      release();
      const status = op === null ? null : known.get(op);
      const record = recordOf(row, op);
      record.isOrphan = true;
      record.state = 'needs-file';
      record.lacksFile = !hasHandles(row);
      this._sources.set(row.id, { row, files: null });
      if (status) {
        record.take(status);
      }
      list.add(record);
      if (op !== null) {
        list.adopt(record, op);
      }
      if (op !== null && (!status || hasEnded(status.state))) {
        await this._endedMeanwhile(record, status ?? null);
      } else {
        await this._tryReopen(record, row, status ?? null);
      }
    }
  }

  /** The server has ended an operation, or does not know it: shown once. */
  private async _endedMeanwhile(
    record: TransferRecord,
    status: TransferStatus | null
  ): Promise<void> {
    const { list, store } = this._context;
    await store.remove(record.id);
    record.isMine = true;
    record.isOrphan = false;
    record.here = true;
    if (!status) {
      record.state = 'failed';
      record.error =
        'The server does not know this upload any more; it was begun too long ago, or was cleared away.';
    } else {
      record.take(status);
    }
    list.ended(record);
  }

  private async _tryReopen(
    record: TransferRecord,
    row: IRow,
    status: TransferStatus | null
  ): Promise<void> {
    const state = status?.state ?? 'waiting';
    if (state !== 'waiting' || !hasHandles(row)) {
      return;
    }
    if ((await permission(row, false)) === 'granted') {
      await this.reopen(record, false).catch(error => {
        record.error = (error as Error).message;
      });
    }
  }

  private _begin(planned: IPlanned): {
    run: UploadRun;
    end: Promise<IUploadResult>;
  } {
    const { row, files } = planned;
    const record = this._context.list.add(recordOf(row, null));
    this._sources.set(row.id, { row, files });
    void this._context.store.put(row);
    const begun = this._go({ row, files, record });
    this._watch(begun);
    return begun;
  }

  private _resume(
    record: TransferRecord,
    source: ISource,
    files: ReadonlyArray<File | null>
  ): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const { row } = source;
      const resumed = record.op !== null;
      const onVerified = () => {
        source.files = files;
        resolve();
      };
      const begun = this._go({ row, files, record, resumed, onVerified });
      if (!resumed || row.kind === 'tree') {
        onVerified();
      }
      begun.end.then(() => resolve(), reject);
      this._watch(begun);
    });
  }

  private _go(start: IUploadStart) {
    const { row, record } = start;
    record.lacksFile = false;
    const tree = row.needs && this._runs.get(row.needs.row);
    const ready = tree?.whenSettled(row.needs?.entries ?? 0);
    const run = new UploadRun(this._context, {
      ...start,
      ...(ready && { ready })
    });
    this._runs.set(row.id, run);
    return { run, end: run.run() };
  }

  /** See an upload off. Who waits for its end hears of a failure, and the list shows it. */
  private _watch({
    run,
    end
  }: {
    run: UploadRun;
    end: Promise<IUploadResult>;
  }): void {
    const over = () => {
      if (this._runs.get(run.row.id) === run) {
        this._runs.delete(run.row.id);
      }
      if (hasEnded(run.record.state)) {
        this._context.list.ended(run.record);
      }
    };
    end.then(over, over);
  }

  private readonly _runs = new Map<string, UploadRun>();
  private readonly _sources = new Map<string, ISource>();
}

function pathOf({ kind, directory, entries }: IRow): string {
  return kind === 'file'
    ? PathExt.join(directory, entries[0]?.path ?? '')
    : directory;
}

function recordOf(row: IRow, op: string | null): TransferRecord {
  const { id, kind, entries } = row;
  return new TransferRecord({
    ...{ id, op, kind, direction: 'upload', path: pathOf(row) },
    size: entries.reduce((sum, { size }) => sum + size, 0),
    entries: kind === 'tree' ? entries.length : 0
  });
}

/** A row with its files as they are now. */
function refreshed(row: IRow, files: ReadonlyArray<File | null>): IRow {
  const entries = row.entries.map((entry, n) => {
    const file = files[n];
    return file
      ? { ...entry, size: file.size, mtimeMs: file.lastModified }
      : entry;
  });
  return { ...row, entries };
}

function fileAt(items: readonly IUploadItem[], path: string): File | null {
  return items.find(item => item.path === path)?.file ?? null;
}

/** What is to be done again. */
function onlyFailed(planned: IPlanned, record: TransferRecord): IPlanned {
  if (record.failures.length === 0) {
    return planned;
  }
  const failed = new Set(record.failures.map(({ path }) => path));
  const { row, files } = planned;
  const again = (path: string) => failed.has(path);
  return {
    row: { ...row, entries: row.entries.filter(({ path }) => again(path)) },
    files: files.filter((_, n) => again(row.entries[n]?.path ?? ''))
  };
}
