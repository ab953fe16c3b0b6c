/**
 * The digest of a file that is read in order: one per block, and a root over the blocks' digests.
 * The counterpart of jupyter_ws_hub/transfers/digest.py.
 */
import { createSHA256, createXXHash128, IHasher } from 'hash-wasm';

import { BLOCK_BYTES } from '../protocol/generated';

/** The names that the protocol has for digests. */
export type DigestName = 'xxh3-128' | 'sha256';

const HASHERS: Record<DigestName, () => Promise<IHasher>> = {
  'xxh3-128': () => createXXHash128(),
  sha256: createSHA256
};

export class BlockDigest {
  /** Load the hash's WebAssembly and start at byte 0. */
  static async create(
    blockBytes = BLOCK_BYTES,
    name: DigestName = 'xxh3-128'
  ): Promise<BlockDigest> {
    const make = HASHERS[name];
    return new BlockDigest(await make(), await make(), blockBytes);
  }

  private constructor(
    private readonly _block: IHasher,
    private readonly _root: IHasher,
    private readonly _blockBytes: number
  ) {
    this.reset();
  }

  /** How many bytes have been taken. */
  get byteOffset(): number {
    return this._byteOffset;
  }

  /** The digests of the whole blocks so far, in hex. */
  get blocks(): readonly string[] {
    return this._blocks;
  }

  /** Start at byte 0 again. */
  reset(): void {
    this._block.init();
    this._root.init();
    this._byteOffset = 0;
    this._inBlock = 0;
    this._blocks = [];
  }

  /** Take the bytes that follow. */
  update(data: Uint8Array): void {
    for (let at = 0; at < data.length;) {
      const part = data.subarray(at, at + this._blockBytes - this._inBlock);
      this._block.update(part);
      at += part.length;
      this._inBlock += part.length;
      this._byteOffset += part.length;
      if (this._inBlock === this._blockBytes) {
        this._endBlock();
      }
    }
  }

  /** The root digest in hex; nothing can be taken after it but by `reset`. */
  root(): string {
    if (this._inBlock > 0) {
      this._endBlock();
    }
    return this._root.digest('hex');
  }

  private _endBlock(): void {
    const digest = this._block.digest('binary');
    this._root.update(digest);
    this._blocks.push(hex(digest));
    this._block.init();
    this._inBlock = 0;
  }

  private _byteOffset = 0;
  private _inBlock = 0;
  private _blocks: string[] = [];
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
