/**
 * Receives one file, or a directory as an archive, and writes it to the file that a person has chosen.
 */
import { HubError } from '../protocol/errors';
import { Done } from '../protocol/generated';
import { DownloadReceiver } from '../protocol/transferDownload';
import { BlockDigest } from './digest';
import { DownloadParts, removeParts } from './downloadParts';
import { StreamLine } from './streamLine';
import { IJob, IJobEvents } from './transferJob';

/** Bytes that go to the file at once. */
const WRITE_BYTES = 1024 * 1024;
/** Bytes that are read again at once. */
const READ_BYTES = 4 * 1024 * 1024;

export class DownloadJob implements IJob {
  /** `parts`: what has come is kept under this name until all is there; null: it is written to the file at once. */
  constructor(
    private readonly _handle: FileSystemFileHandle,
    private readonly _size: number,
    private readonly _name: string | null
  ) {}

  async run(line: StreamLine, events: IJobEvents): Promise<Done> {
    this._receiver ??= await this._begin();
    const receiver = this._receiver;
    line.send(receiver.hello());
    for (;;) {
      await this._take(line, receiver);
      if (receiver.welcome) {
        const committing = receiver.have === receiver.size;
        events.onProgress({ written: this._written, settled: 0, committing });
      }
      if (receiver.done) {
        await this._finish(receiver.done, receiver.have, line);
        return receiver.done;
      }
      const error = receiver.failure ?? line.error;
      if (error) {
        throw error;
      }
      const credit = receiver.credit(this._written);
      if (credit !== null) {
        line.send(credit);
      }
      await line.news();
    }
  }

  /** What is not whole is not in the file: the browser writes to a copy until it is closed. */
  async end(discard: boolean): Promise<void> {
    await this._abort();
    this._parts = [];
    await this._kept?.close();
    if (discard && this._name !== null) {
      await removeParts(this._name).catch(console.warn);
    }
  }

  private async _begin(): Promise<DownloadReceiver> {
    if (this._name !== null) {
      const name = this._name;
      await this._onDisk(async () => {
        this._kept = await DownloadParts.open(name, this._size);
      });
      this._before = this._written = this._kept?.kept ?? 0;
    }
    return new DownloadReceiver(undefined, this._before);
  }

  private async _take(
    line: StreamLine,
    receiver: DownloadReceiver
  ): Promise<void> {
    for (
      let frame = line.take();
      frame !== undefined && !receiver.done && !receiver.failure;
      frame = line.take()
    ) {
      if (typeof frame === 'string') {
        receiver.take(frame);
      } else {
        if (!this._digest || this._digest.byteOffset < this._before) {
          await this._catchUp(line, receiver);
        }
        const payload = receiver.data(frame);
        this._digest?.update(payload);
        this._parts.push(payload);
        this._partBytes += payload.length;
      }
      if (this._partBytes >= WRITE_BYTES) {
        await this._write();
      }
    }
    await this._write();
  }

  /** The digest of all that was taken; what an earlier page has received is read again. */
  private async _catchUp(
    line: StreamLine,
    { welcome }: DownloadReceiver
  ): Promise<BlockDigest> {
    const digest = (this._digest ??= await BlockDigest.create(
      welcome?.block_bytes,
      welcome?.digest
    ));
    while (digest.byteOffset < this._before) {
      throwIfGivenUp(line);
      await this._onDisk(async () => {
        const at = digest.byteOffset;
        const part = await this._kept!.from(at);
        const bytes = part.slice(0, Math.min(READ_BYTES, this._before - at));
        digest.update(new Uint8Array(await bytes.arrayBuffer()));
      });
    }
    return digest;
  }

  private async _write(): Promise<void> {
    const parts = this._parts;
    const bytes = this._partBytes;
    if (bytes > 0) {
      this._parts = [];
      this._partBytes = 0;
      await this._onDisk(async () => {
        const blob = new Blob(parts as BlobPart[]);
        if (this._kept) {
          await this._kept.write(blob);
        } else {
          this._sink ??= await this._handle.createWritable();
          await this._sink.write(blob);
        }
      });
      this._written += bytes;
    }
  }

  private async _finish(
    done: Done,
    have: number,
    line: StreamLine
  ): Promise<void> {
    const digest = await this._catchUp(line, this._receiver!);
    if (have !== done.size || digest.root() !== done.root) {
      await this._abort();
      throw HubError.of(
        'digest_mismatch',
        'What has arrived is not what was sent. The file was not written.'
      );
    }
    await this._onDisk(async () => {
      this._sink ??= await this._handle.createWritable();
      await this._copy(this._sink, line);
      await this._sink.close();
      this._sink = null;
    });
  }

  /** Copy the parts to the file. */
  private async _copy(
    sink: FileSystemWritableFileStream,
    line: StreamLine
  ): Promise<void> {
    try {
      for (let at = 0; this._kept && at < this._size;) {
        throwIfGivenUp(line);
        const part = await this._kept.from(at);
        await sink.write(part);
        at += part.size;
      }
    } catch (error) {
      await this._abort();
      throw error;
    }
  }

  private async _abort(): Promise<void> {
    const sink = this._sink;
    this._sink = null;
    await sink?.abort().catch(() => undefined);
  }

  private async _onDisk(what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      if (error instanceof HubError) {
        throw error;
      }
      const why = error instanceof Error ? error.message : String(error);
      throw new HubError(
        'source_changed',
        `The file cannot be written on this computer: ${why}`
      );
    }
  }

  private _receiver: DownloadReceiver | null = null;
  private _kept: DownloadParts | null = null;
  /** Bytes that an earlier page has received. */
  private _before = 0;
  private _digest: BlockDigest | null = null;
  private _sink: FileSystemWritableFileStream | null = null;
  private _parts: Uint8Array[] = [];
  private _partBytes = 0;
  private _written = 0;
}

/** Who has closed the line wants nothing more; that the server has, is no matter once all is there. */
function throwIfGivenUp({ isGivenUp, error }: StreamLine): void {
  if (isGivenUp && error) {
    throw error;
  }
}
