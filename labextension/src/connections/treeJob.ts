/**
 * Sends many small files in one stream: reads a few ahead, announces them with their digests, sends their bytes.
 */
import { HubError } from '../protocol/errors';
import { Done, EntryResult, TreeEntry } from '../protocol/generated';
import { TreeSender } from '../protocol/transfer';
import { BlockDigest } from './digest';
import { readPart } from './slices';
import { StreamLine, takeTexts } from './streamLine';
import { IJob, IJobEvents, ITreeItem } from './transferJob';
import { BUFFER_POLL_MS, BUFFERED_BYTES } from './uploadJob';

/** Files that are read at the same time, and the bytes that they may have together. */
const READS = 48;
const READ_BYTES = 4 * 1024 * 1024;
/** How much is announced in one message: entries, and bytes of their files. */
const BATCH_ENTRIES = 256;
const BATCH_BYTES = 512 * 1024;

/** A file that was read, or could not be: `error` then. */
interface IRead {
  item: ITreeItem;
  data: Uint8Array | null;
  error: HubError | null;
  isThere: boolean;
}

export class TreeJob implements IJob {
  constructor(private readonly _items: readonly ITreeItem[]) {}

  async run(line: StreamLine, events: IJobEvents): Promise<Done> {
    const sender = this._sender;
    line.send(sender.hello());
    this._restart(0);
    let begun = false;
    for (;;) {
      takeTexts(line, sender);
      if (sender.welcome && !begun) {
        begun = true;
        await this._begin();
      }
      this._tell(events);
      if (sender.done) {
        return sender.done;
      }
      const error = sender.failure ?? line.error;
      if (error) {
        throw error;
      }
      await this._step(line);
    }
  }

  async end(): Promise<void> {
    this._restart(this._items.length);
  }

  private async _begin(): Promise<void> {
    const { welcome, announced } = this._sender;
    if (welcome && announced > this._items.length) {
      throw HubError.of('source_changed', 'The upload has other files.');
    }
    this._digest ??= await BlockDigest.create(
      welcome?.block_bytes,
      welcome?.digest
    );
    this._restart(announced);
  }

  private _restart(next: number): void {
    this._next = next;
    this._reads = [];
    this._readBytes = 0;
    this._out = [];
  }

  private _tell(events: IJobEvents): void {
    const sender = this._sender;
    if (sender.welcome) {
      const { written, settled, isFinished: committing } = sender;
      events.onProgress({ written, settled, committing });
      const missing = this._missing.filter(({ entry }) => entry < settled);
      if (missing.length > 0) {
        events.onResults(missing);
        this._missing = this._missing.filter(({ entry }) => entry >= settled);
      }
      const results = sender.takeResults();
      if (results.length > 0) {
        events.onResults(results);
      }
    }
  }

  private async _step(line: StreamLine): Promise<void> {
    const sender = this._sender;
    if (!sender.welcome || sender.isFinished) {
      await line.news();
    } else if (line.bufferedAmount >= BUFFERED_BYTES) {
      await line.news(BUFFER_POLL_MS);
    } else if (this._out.length > 0) {
      await this._send(line);
    } else if (sender.announced === this._items.length) {
      line.send(sender.finish());
    } else if (sender.entriesRoom === 0) {
      await line.news();
    } else {
      await this._announce(line);
    }
  }

  private async _send(line: StreamLine): Promise<void> {
    const sender = this._sender;
    if (sender.room === 0) {
      await line.news();
      return;
    }
    const data = joined(this._out);
    const part = data.subarray(0, sender.room);
    this._out = part.length < data.length ? [data.subarray(part.length)] : [];
    sender.data(part).forEach(frame => line.send(frame));
  }

  private async _announce(line: StreamLine): Promise<void> {
    const sender = this._sender;
    const room = Math.min(sender.entriesRoom, BATCH_ENTRIES);
    const entries: TreeEntry[] = [];
    this._readAhead();
    for (let bytes = 0; entries.length < room && bytes < BATCH_BYTES;) {
      const first = this._reads[0];
      // Wait for the first one only: what is ready goes out, the others come with the next message.
      if (!first || (entries.length > 0 && !first.isReady)) {
        break;
      }
      const read = await first.read;
      if (line.error) {
        return;
      }
      this._reads.shift();
      this._readBytes -= read.item.size;
      entries.push(this._entry(read, sender.announced + entries.length));
      bytes += read.data?.length ?? 0;
      this._readAhead();
    }
    line.send(sender.announce(entries));
  }

  private _entry({ item, data, error, isThere }: IRead, n: number): TreeEntry {
    const { path, ifExists, expect, mtimeMs } = item;
    // After a break entries are read again, and perhaps better.
    this._missing = this._missing.filter(({ entry }) => entry !== n);
    if (item.type === 'directory') {
      return { path, type: 'directory' };
    }
    if (!isThere || !data) {
      const info = error && { code: error.code, message: error.message };
      this._missing.push({
        ...{ entry: n, state: 'failed', path: null },
        error: info && { ...info, retryable: false }
      });
      return { path, missing: true };
    }
    if (data.length > 0) {
      this._out.push(data);
    }
    this._digest?.reset();
    this._digest?.update(data);
    return {
      ...{ path, size: data.length, root: this._digest?.root() },
      ...(mtimeMs !== null && { mtime_ms: mtimeMs }),
      ...(ifExists && { if_exists: ifExists }),
      ...(expect && { expect })
    };
  }

  private _readAhead(): void {
    while (this._next < this._items.length && this._reads.length < READS) {
      const item = this._items[this._next]!;
      if (this._reads.length > 0 && this._readBytes + item.size > READ_BYTES) {
        return;
      }
      this._next += 1;
      this._readBytes += item.size;
      const reading = { read: readItem(item), isReady: false };
      void reading.read.then(() => (reading.isReady = true));
      this._reads.push(reading);
    }
  }

  private readonly _sender = new TreeSender();
  private _digest: BlockDigest | null = null;
  /** The next entry to read. */
  private _next = 0;
  private _reads: Array<{ read: Promise<IRead>; isReady: boolean }> = [];
  private _readBytes = 0;
  /** Bytes of files that are announced. */
  private _out: Uint8Array[] = [];
  private _missing: EntryResult[] = [];
}

async function readItem(item: ITreeItem): Promise<IRead> {
  const { file, size, type } = item;
  if (type === 'directory') {
    return { item, data: null, error: null, isThere: true };
  }
  try {
    if (!file || file.size !== size) {
      throw HubError.of(
        'source_changed',
        `${item.path} is not there any more, or has changed.`
      );
    }
    const data = await readPart(file, 0, size);
    return { item, data, error: null, isThere: true };
  } catch (error) {
    const failure = error instanceof HubError ? error : null;
    return { item, data: null, error: failure, isThere: false };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0]) {
    return parts[0];
  }
  const all = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0)
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
