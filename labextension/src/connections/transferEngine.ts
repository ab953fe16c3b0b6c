/**
 * Runs the jobs that move bytes: in a worker, or in the page where there is none. Speaks in messages either way.
 */
import { errorInfo, HubError } from '../protocol/errors';
import { Done } from '../protocol/generated';
import { DownloadJob } from './downloadJob';
import { OpenSocket, StreamLine } from './streamLine';
import {
  FromEngine,
  IJob,
  IJobEvents,
  IJobProgress,
  JobSpec,
  ToEngine
} from './transferJob';
import { TreeJob } from './treeJob';
import { UploadJob } from './uploadJob';

/** Progress is told at most so often. */
const PROGRESS_MS = 200;

type Post = (message: FromEngine) => void;

/** One job and its stream. */
class Runner implements IJobEvents {
  constructor(
    private readonly _id: number,
    private readonly _job: IJob,
    private readonly _post: Post
  ) {}

  async open(open: OpenSocket, url: string): Promise<void> {
    const { _id: id, _running: before } = this;
    let wasOpened = false;
    const opened = () => {
      wasOpened = true;
      this._post({ type: 'opened', id });
    };
    this._line?.close(HubError.of('superseded', 'It was opened again.'));
    this._closed = null;
    this._running = this._run(before, () => new StreamLine(open, url, opened))
      .then(done => {
        this._flush();
        this._post({ type: 'done', id, done });
      })
      .catch(error => {
        this._flush();
        const info = errorInfo(asHubError(error));
        this._post({ type: 'closed', id, error: info, wasOpened });
      });
    await this._running;
  }

  close(error: HubError): void {
    this._closed = error;
    this._line?.close(error);
  }

  async end(discard: boolean): Promise<void> {
    this.close(HubError.of('cancelled', 'It was ended.'));
    await this._running;
    await this._job.end(discard);
  }

  onProgress(progress: IJobProgress): void {
    this._progress = progress;
    this._timer ??= setTimeout(() => this._flush(), PROGRESS_MS);
    // That it goes on, and that it ends, are worth to be told at once.
    if (progress.committing !== this._wasCommitting) {
      this._wasCommitting = progress.committing;
      this._flush();
    }
  }

  onResults(results: Parameters<IJobEvents['onResults']>[0]): void {
    this._post({ type: 'results', id: this._id, results });
  }

  onVerified(): void {
    this._post({ type: 'verified', id: this._id });
  }

  /** A job runs on one stream at a time: the one before must have noticed that it is over. */
  private async _run(
    before: Promise<void>,
    open: () => StreamLine
  ): Promise<Done> {
    await before;
    if (this._closed) {
      throw this._closed;
    }
    const line = (this._line = open());
    this._wasCommitting = null;
    try {
      await line.ready();
      return await this._job.run(line, this);
    } finally {
      line.close(HubError.of('cancelled', 'It was ended.'));
    }
  }

  private _flush(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
    if (this._progress) {
      const { _id: id, _progress: progress } = this;
      this._progress = null;
      this._post({ type: 'progress', id, progress });
    }
  }

  private _line: StreamLine | null = null;
  private _running: Promise<void> = Promise.resolve();
  private _progress: IJobProgress | null = null;
  private _wasCommitting: boolean | null = null;
  /** The page has closed it, perhaps before it was open. */
  private _closed: HubError | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
}

export class TransferEngine {
  constructor(
    private readonly _open: OpenSocket,
    private readonly _post: Post
  ) {}

  /** Take a message of the page. */
  handle(message: ToEngine): void {
    const { id } = message;
    if (message.type === 'start') {
      const runner = new Runner(id, makeJob(message.spec), this._post);
      this._runners.set(id, runner);
      return;
    }
    const runner = this._runners.get(id);
    if (message.type === 'open') {
      void runner?.open(this._open, message.url);
    } else if (message.type === 'close') {
      runner?.close(HubError.from(message.error));
    } else {
      this._runners.delete(id);
      void runner?.end(message.discard);
    }
  }

  private readonly _runners = new Map<number, Runner>();
}

function makeJob(spec: JobSpec): IJob {
  switch (spec.kind) {
    case 'file':
      return new UploadJob(spec.file, spec.resumed);
    case 'tree':
      return new TreeJob(spec.items);
    case 'download':
      return new DownloadJob(spec.handle, spec.size, spec.parts);
  }
}

/** What is no HubError is a fault of this program: trying again does not help. */
function asHubError(error: unknown): HubError {
  if (error instanceof HubError) {
    return error;
  }
  console.error('A transfer failed in an unexpected way.', error);
  const message = error instanceof Error ? error.message : String(error);
  return new HubError('internal', message);
}
