/**
 * Sends one file: reads it in slices, digests each byte once and keeps the socket fed.
 */
import { HubError } from '../protocol/errors';
import { Done, MAX_CHUNK_PAYLOAD_BYTES } from '../protocol/generated';
import { UploadSender } from '../protocol/transfer';
import { BlockDigest } from './digest';
import { SliceReader } from './slices';
import { StreamLine, takeTexts } from './streamLine';
import { IJob, IJobEvents } from './transferJob';

/** How much may wait in the socket's own buffer. */
export const BUFFERED_BYTES = 2 * 1024 * 1024;
/** Bytes that are given to the socket before that is looked at again: a whole number of data frames. */
const PART_BYTES = 16 * MAX_CHUNK_PAYLOAD_BYTES;
/** How long to wait before looking at that buffer again: browsers have no event for it. */
export const BUFFER_POLL_MS = 4;

export class UploadJob implements IJob {
  constructor(
    private readonly _file: File,
    private _resumed: boolean
  ) {
    this._sender = new UploadSender(_file.size);
    this._reader = new SliceReader(_file, _file.size);
  }

  async run(line: StreamLine, events: IJobEvents): Promise<Done> {
    const sender = this._sender;
    this._slice = null;
    line.send(sender.hello(this._resumed));
    for (;;) {
      takeTexts(line, sender);
      if (sender.welcome) {
        const { written, isFinished: committing } = sender;
        events.onProgress({ written, settled: 0, committing });
      }
      if (sender.done) {
        return sender.done;
      }
      const error = sender.failure ?? line.error;
      if (error) {
        throw error;
      }
      await this._step(line, events);
    }
  }

  async end(): Promise<void> {
    this._slice = null;
  }

  /** Do the next thing that can be done, or wait for news. */
  private async _step(line: StreamLine, events: IJobEvents): Promise<void> {
    const sender = this._sender;
    const { welcome } = sender;
    if (!welcome || sender.isFinished) {
      await line.news();
      return;
    }
    const { block_bytes, digest } = welcome;
    this._digest ??= await BlockDigest.create(block_bytes, digest);
    if (this._digest.byteOffset < sender.sent) {
      await this._catchUp(this._digest, line);
      return;
    }
    if (this._resumed) {
      this._resumed = false;
      events.onVerified();
    }
    if (sender.isSent) {
      this._root ??= this._digest.root();
      line.send(sender.finish(this._root));
    } else if (sender.room === 0) {
      await line.news();
    } else if (line.bufferedAmount >= BUFFERED_BYTES) {
      await line.news(BUFFER_POLL_MS);
    } else {
      await this._send(this._digest, line);
    }
  }

  private async _send(digest: BlockDigest, line: StreamLine): Promise<void> {
    const sender = this._sender;
    const at = sender.sent;
    if (!this._slice || this._slice.length === 0) {
      this._slice = await this._reader.read(at);
      const seen = digest.byteOffset - at;
      if (seen < this._slice.length) {
        digest.update(this._slice.subarray(seen));
      }
    }
    // Whole frames, unless the rest is smaller or the server wants no more.
    const room = Math.min(sender.room, PART_BYTES);
    const whole = room - (room % MAX_CHUNK_PAYLOAD_BYTES) || room;
    const part = this._slice.subarray(0, whole);
    this._slice = this._slice.subarray(part.length);
    sender.data(part).forEach(frame => line.send(frame));
  }

  /** Digest what the server has already, and compare it where the server says what it has. */
  private async _catchUp(digest: BlockDigest, line: StreamLine): Promise<void> {
    const { sent, welcome } = this._sender;
    const known = welcome?.digests ?? [];
    while (digest.byteOffset < sent && !line.error) {
      const at = digest.byteOffset;
      const before = digest.blocks.length;
      const data = await this._reader.read(at);
      digest.update(data.subarray(0, sent - at));
      digest.blocks.slice(before).forEach((block, n) => {
        const expected = known[before + n];
        if (expected !== undefined && expected !== block) {
          digest.reset();
          throw notTheSame(this._file.name);
        }
      });
    }
  }

  private readonly _sender: UploadSender;
  private readonly _reader: SliceReader;
  private _digest: BlockDigest | null = null;
  private _root: string | null = null;
  /** What was read, and digested, but not sent yet. */
  private _slice: Uint8Array | null = null;
}

/** What is said where a chosen file is another one. */
function notTheSame(name: string): HubError {
  return HubError.of(
    'source_changed',
    `${name} is not the file whose upload was begun: its content differs. Choose that one, or cancel the upload.`
  );
}
