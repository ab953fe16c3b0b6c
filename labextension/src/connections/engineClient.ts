/**
 * The page's side of the engine: a worker where the page may have one, else the same program in the page.
 */
import { errorInfo, HubError } from '../protocol/errors';
import { Done, EntryResult } from '../protocol/generated';
import { OpenSocket } from './streamLine';
import { TransferEngine } from './transferEngine';
import { FromEngine, IJobProgress, JobSpec, ToEngine } from './transferJob';

/** A worker that has not begun by then does not begin any more. */
const START_MS = 10_000;

/** What the engine tells of one job. */
export interface IEngineEvents {
  onOpened(): void;
  onProgress(progress: IJobProgress): void;
  onResults(results: EntryResult[]): void;
  onVerified(): void;
}

/** Why a stream has ended without success; `wasOpened`: it had begun. */
export interface IStreamEnd {
  error: HubError;
  wasOpened: boolean;
}

/** One job in the engine. */
export interface IEngineJob {
  /** Run on a new stream; resolves to the good end or to why it is over. */
  open(url: string): Promise<Done | IStreamEnd>;
  /** Close the stream; `open` resolves with this error. */
  close(error: HubError): void;
  /** Forget it; `discard`: and what it has received. */
  end(discard: boolean): void;
}

interface IJobState {
  events: IEngineEvents;
  settle: ((end: Done | IStreamEnd) => void) | null;
}

/** Carries messages to an engine. */
type Send = (message: ToEngine) => void;

export class EngineClient {
  /** `spawn` starts the worker; `open` opens sockets where there is none. */
  constructor(
    private readonly _spawn: () => Worker,
    private readonly _open: OpenSocket
  ) {}

  /**
   * Take a job.
   *
   * @throws DOMException `DataCloneError`: what is to be moved cannot go to a worker.
   */
  async start(spec: JobSpec, events: IEngineEvents): Promise<IEngineJob> {
    this._send ??= this._start();
    const send = await this._send;
    const id = ++this._lastId;
    const state: IJobState = { events, settle: null };
    send({ type: 'start', id, spec });
    this._jobs.set(id, state);
    return {
      open: url =>
        new Promise(resolve => {
          state.settle = resolve;
          send({ type: 'open', id, url });
        }),
      close: error => send({ type: 'close', id, error: errorInfo(error) }),
      end: discard => {
        this._jobs.delete(id);
        send({ type: 'end', id, discard });
      }
    };
  }

  /** Start the worker, or do without. */
  private async _start(): Promise<Send> {
    try {
      return await this._startWorker();
    } catch (error) {
      console.warn(
        'Transfers run without a worker, because the page could not start one.',
        error
      );
      const engine = new TransferEngine(this._open, message =>
        // As from a worker: never in the middle of what the page does.
        queueMicrotask(() => this._take(message))
      );
      return message => engine.handle(message);
    }
  }

  private async _startWorker(): Promise<Send> {
    const worker = this._spawn();
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('It did not begin in time.')),
        START_MS
      );
      worker.onerror = event => {
        clearTimeout(late);
        reject(new Error(event.message || 'Its program could not be loaded.'));
      };
      worker.onmessage = () => {
        clearTimeout(late);
        resolve();
      };
    }).catch(error => {
      worker.terminate();
      throw error;
    });
    worker.onmessage = event => this._take(event.data as FromEngine);
    worker.onerror = event =>
      console.error('The worker of transfers failed.', event.message);
    return message => worker.postMessage(message);
  }

  private _take(message: FromEngine): void {
    if (message.type === 'ready') {
      return;
    }
    const job = this._jobs.get(message.id);
    switch (message.type) {
      case 'opened':
        job?.events.onOpened();
        break;
      case 'progress':
        job?.events.onProgress(message.progress);
        break;
      case 'results':
        job?.events.onResults(message.results);
        break;
      case 'verified':
        job?.events.onVerified();
        break;
      case 'done':
        job?.settle?.(message.done);
        break;
      case 'closed': {
        const { wasOpened } = message;
        const error = HubError.from(message.error);
        job?.settle?.({ error, wasOpened });
        break;
      }
    }
  }

  private _send: Promise<Send> | null = null;
  private readonly _jobs = new Map<number, IJobState>();
  private _lastId = 0;
}
