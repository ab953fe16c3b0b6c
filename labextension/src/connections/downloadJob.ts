/**
 * Receives one file, or a directory as an archive, and writes it to the file that a person has chosen.
 */
import { HubError } from '../protocol/errors';
import { Done } from '../protocol/generated';
import { DownloadReceiver } from '../protocol/transferDownload';
import { BlockDigest } from './digest';
import { StreamLine } from './streamLine';
import { IJob, IJobEvents } from './transferJob';

/** Bytes that go to the file at once. */
const WRITE_BYTES = 1024 * 1024;

export class DownloadJob implements IJob {
  constructor(private readonly _handle: FileSystemFileHandle) {}

  async run(line: StreamLine, events: IJobEvents): Promise<Done> {
    const receiver = this._receiver;
    line.send(receiver.hello());
    for (;;) {
      await this._take(line);
      if (receiver.welcome) {
        const committing = receiver.have === receiver.size;
        events.onProgress({ written: this._written, settled: 0, committing });
      }
      if (receiver.done) {
        await this._finish(receiver.done);
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

  /** What is not whole is thrown away: the browser writes to a copy until it is closed. */
  async end(): Promise<void> {
    const sink = this._sink;
    this._sink = null;
    this._parts = [];
    await sink?.abort().catch(() => undefined);
  }

  private async _take(line: StreamLine): Promise<void> {
    const receiver = this._receiver;
    for (
      let frame = line.take();
      frame !== undefined && !receiver.done && !receiver.failure;
      frame = line.take()
    ) {
      if (typeof frame === 'string') {
        receiver.take(frame);
      } else {
        this._digest ??= await BlockDigest.create(
          receiver.welcome?.block_bytes,
          receiver.welcome?.digest
        );
        const payload = receiver.data(frame);
        this._digest.update(payload);
        this._parts.push(payload);
        this._partBytes += payload.length;
      }
      if (this._partBytes >= WRITE_BYTES) {
        await this._write();
      }
    }
    await this._write();
  }

  private async _write(): Promise<void> {
    const parts = this._parts;
    const bytes = this._partBytes;
    if (bytes > 0) {
      this._parts = [];
      this._partBytes = 0;
      await this._onDisk(async () => {
        this._sink ??= await this._handle.createWritable();
        await this._sink.write(new Blob(parts as BlobPart[]));
      });
      this._written += bytes;
    }
  }

  private async _finish(done: Done): Promise<void> {
    const { have } = this._receiver;
    const digest = this._digest ?? (await BlockDigest.create());
    if (have !== done.size || digest.root() !== done.root) {
      await this.end();
      throw HubError.of(
        'digest_mismatch',
        'What has arrived is not what was sent. The file was not written.'
      );
    }
    await this._onDisk(async () => {
      this._sink ??= await this._handle.createWritable();
      await this._sink.close();
      this._sink = null;
    });
  }

  private async _onDisk(what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new HubError(
        'source_changed',
        `The file cannot be written on this computer: ${why}`
      );
    }
  }

  private readonly _receiver = new DownloadReceiver();
  private _digest: BlockDigest | null = null;
  private _sink: FileSystemWritableFileStream | null = null;
  private _parts: Uint8Array[] = [];
  private _partBytes = 0;
  private _written = 0;
}
