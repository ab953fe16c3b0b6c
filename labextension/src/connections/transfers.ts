/**
 * This tab's transfers: starts uploads, a few at a time, and keeps what there is to show of them.
 */
import { PathExt } from '@jupyterlab/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import {
  IConnectionManager,
  ITransfer,
  ITransferManager,
  IUploadConflict,
  IUploadItem,
  IUploadResult
} from '../tokens';
import { Upload } from './upload';

/** Uploads that run at the same time; the others wait. */
const AT_A_TIME = 3;
/** The rate is taken over about this long. */
const RATE_MS = 3000;

interface IMutableTransfer extends ITransfer {
  path: string;
  written: number;
  state: ITransfer['state'];
  rate: number;
  error: string | null;
}

interface ISample {
  ms: number;
  written: number;
}

export class TransferManager implements ITransferManager {
  constructor(
    private readonly _manager: IConnectionManager,
    private readonly _now: () => number = Date.now
  ) {}

  get transfers(): readonly ITransfer[] {
    return this._transfers;
  }

  get changed(): ISignal<ITransferManager, void> {
    return this._changed;
  }

  get ended(): ISignal<ITransferManager, ITransfer> {
    return this._ended;
  }

  async upload(
    items: readonly IUploadItem[],
    directory: string
  ): Promise<IUploadResult> {
    const files = items.flatMap(({ file }) => (file ? [file] : []));
    const runs = files.map(file => this._upload(file, directory));
    const paths: string[] = [];
    const failures: { path: string; message: string }[] = [];
    for (const [index, run] of (await Promise.allSettled(runs)).entries()) {
      if (run.status === 'fulfilled') {
        paths.push(run.value);
      } else {
        const path = files[index]?.name ?? '';
        failures.push({ path, message: String(run.reason?.message) });
      }
    }
    return { paths, failures };
  }

  async conflicts(): Promise<IUploadConflict[]> {
    return [];
  }

  async download(): Promise<void> {
    throw unsupported();
  }

  async pause(): Promise<void> {
    throw unsupported();
  }

  async resume(): Promise<void> {
    throw unsupported();
  }

  async provide(): Promise<void> {
    throw unsupported();
  }

  async retry(): Promise<void> {
    throw unsupported();
  }

  async forget(): Promise<void> {
    throw unsupported();
  }

  private async _upload(file: File, directory: string): Promise<string> {
    const transfer: IMutableTransfer = {
      id: String(++this._lastId),
      direction: 'upload',
      kind: 'file',
      entries: 0,
      settled: 0,
      here: true,
      remainingMs: null,
      failures: [],
      path: PathExt.join(directory, file.name),
      size: file.size,
      written: 0,
      state: 'waiting',
      rate: 0,
      error: null
    };
    this._transfers = [...this._transfers, transfer];
    this._changed.emit();
    await this._turn();
    try {
      return await this._run(transfer, file);
    } finally {
      this._pass();
      this._uploads.delete(transfer.id);
      this._changed.emit();
    }
  }

  async cancel(id: string): Promise<void> {
    const transfer = this._transfers.find(one => one.id === id);
    if (transfer?.state === 'waiting') {
      transfer.state = 'cancelled';
      this._changed.emit();
    }
    await this._uploads.get(id)?.cancel();
  }

  private async _run(transfer: IMutableTransfer, file: File): Promise<string> {
    const cancelled = () => transfer.state === 'cancelled';
    if (cancelled()) {
      throw HubError.of('cancelled', `${transfer.path} was cancelled.`);
    }
    const samples: ISample[] = [];
    const upload = new Upload(this._manager, file, transfer.path, {
      onProgress: written => {
        transfer.state = 'running';
        transfer.written = written;
        transfer.error = null;
        transfer.rate = this._rate(samples, written);
        this._changed.emit();
      },
      onPause: reason => {
        transfer.state = 'paused';
        transfer.rate = 0;
        transfer.error = reason;
        this._changed.emit();
      }
    });
    this._uploads.set(transfer.id, upload);
    try {
      transfer.path = await upload.run();
      transfer.state = 'done';
      transfer.written = transfer.size;
      return transfer.path;
    } catch (error) {
      const code = error instanceof HubError ? error.code : null;
      transfer.state = code === 'cancelled' ? 'cancelled' : 'failed';
      transfer.error = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  private _rate(samples: ISample[], written: number): number {
    const ms = this._now();
    samples.push({ ms, written });
    while (samples.length > 2 && ms - (samples[0]?.ms ?? ms) > RATE_MS) {
      samples.shift();
    }
    const first = samples[0] ?? { ms, written };
    const elapsed = ms - first.ms;
    return elapsed > 0 ? ((written - first.written) * 1000) / elapsed : 0;
  }

  private async _turn(): Promise<void> {
    if (this._running < AT_A_TIME) {
      this._running += 1;
    } else {
      await new Promise<void>(resolve => this._queue.push(resolve));
    }
  }

  /** Hand the place on to who waits longest, so that nobody can slip in between. */
  private _pass(): void {
    const next = this._queue.shift();
    if (next) {
      next();
    } else {
      this._running -= 1;
    }
  }

  private _transfers: IMutableTransfer[] = [];
  private readonly _uploads = new Map<string, Upload>();
  private readonly _queue: Array<() => void> = [];
  private readonly _changed = new Signal<ITransferManager, void>(this);
  private readonly _ended = new Signal<ITransferManager, ITransfer>(this);
  private _running = 0;
  private _lastId = 0;
}

function unsupported(): HubError {
  return HubError.of('unsupported', 'This cannot be done yet.');
}
